# Leaves a daemon behind: forked twice, in a session of its own, away from its parent and its signals.

import os
import signal
import time


def handler(event, context):
    if event == "behave":
        return "well"
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, signal.NSIG):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True:
                os.write(1, b"the daemon is here\n")
                time.sleep(0.01)
        os._exit(0)
    time.sleep(0.05)
    return "left"
