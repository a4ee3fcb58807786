# Writes bytes that are no frame to the control socket.

import os
import time


def handler(event, context):
    if event == "behave":
        return "well"
    os.write(3, bytes(range(255, -1, -1)) * 16)
    time.sleep(60)
