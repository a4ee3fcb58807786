# Answers the next invocation while nothing runs: what is sent then must never count as an answer.

import os
import threading
import time


def forge(invocation_id):
    time.sleep(0.02)
    payload = b'{"invocation_id":"%s"}\n"forged"' % invocation_id.encode()
    os.write(3, len(payload).to_bytes(4, "big") + b"\x06" + payload)


def handler(event, context):
    if event == "behave":
        return "well"
    threading.Thread(target=forge, args=(context.invocation_id,)).start()
    return "wait for it"
