# Prints 64 MB as fast as it can.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    line = b"x" * 1023 + b"\n"
    block = line * 64
    for _ in range(64 << 20 >> 16):
        left = memoryview(block)
        while left:
            left = left[os.write(1, left):]
    return "printed"
