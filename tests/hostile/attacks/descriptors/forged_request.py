# Answers a request that is not its own.

import os
import time


def handler(event, context):
    if event == "behave":
        return "well"
    payload = b'{"request_id":"00000000-0000-4000-8000-000000000000"}\n"forged"'
    os.write(3, len(payload).to_bytes(4, "big") + b"\x06" + payload)
    time.sleep(60)
