# Sends a RESULT byte by byte, each a wake-up of the host, and never the last one.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    os.write(3, (65536).to_bytes(4, "big") + b"\x06")
    for _ in range(65535):
        os.write(3, b" ")
    while True:
        pass
