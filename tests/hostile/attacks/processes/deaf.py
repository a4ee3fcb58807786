# Ignores every signal that can be ignored, blocks all others, and stays.

import signal
import time


def handler(event, context):
    if event == "behave":
        return "well"
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass  # SIGKILL and SIGSTOP
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    while True:
        time.sleep(0.01)
