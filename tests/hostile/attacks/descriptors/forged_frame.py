# Says READY where RESULT or ERROR is due.

import os
import time


def handler(event, context):
    if event == "behave":
        return "well"
    os.write(3, (2).to_bytes(4, "big") + b"\x03{}")
    time.sleep(60)
