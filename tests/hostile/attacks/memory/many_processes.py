# Spreads the memory over children, so that none of them alone is over the limit.

import os
import time


def handler(event, context):
    if event == "behave":
        return "well"
    for _ in range(8):
        if os.fork() == 0:
            kept = b"x" * (40 << 20)
            time.sleep(60)
            os._exit(len(kept) & 1)
    time.sleep(60)
