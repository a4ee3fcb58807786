# Answers with bytes that are not UTF-8, past the agent.

import os
import time


def handler(event, context):
    if event == "behave":
        return "well"
    payload = b'{"invocation_id":"%s"}\n"\xff\xfe\xc0\x80"' % context.invocation_id.encode()
    os.write(3, len(payload).to_bytes(4, "big") + b"\x06" + payload)
    time.sleep(60)
