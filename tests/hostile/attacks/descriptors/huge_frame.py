# Announces a RESULT of 4 GB, so that the host reserves as much.

import os
import time


def handler(event, context):
    if event == "behave":
        return "well"
    os.write(3, b"\xff\xff\xff\xff\x06" + b"x" * 65536)
    time.sleep(60)
