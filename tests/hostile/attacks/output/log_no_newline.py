# Prints 4 MB without a newline.

import sys


def handler(event, context):
    if event == "behave":
        return "well"
    for _ in range(64):
        sys.stdout.write("x" * 65536)
    return "printed"
