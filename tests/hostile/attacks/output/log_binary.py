# Prints bytes that are no text: NUL, broken UTF-8, all others.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    os.write(1, bytes(range(256)) + b"\xc3(\xed\xa0\x80\xff\xfe\0")
    return "printed"
