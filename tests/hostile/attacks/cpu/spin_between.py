# Leaves a thread that spins on between invocations, when no invocation is charged for it.

import os
import threading


def spin():
    while True:
        pass


def handler(event, context):
    if event == "behave":
        return "well"
    if event == "who":
        return os.getuid()
    threading.Thread(target=spin, daemon=True).start()
    return "left"
