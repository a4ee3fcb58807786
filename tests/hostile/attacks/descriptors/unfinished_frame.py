# Announces the longest RESULT that is allowed, sends half of it, and no more.

import os
import time


def handler(event, context):
    if event == "behave":
        return "well"
    os.write(3, (65536).to_bytes(4, "big") + b"\x06" + b"x" * 32768)
    time.sleep(60)
