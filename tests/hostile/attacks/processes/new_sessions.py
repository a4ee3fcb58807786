# Puts each child into a session and process group of its own, so that no signal to a group finds them all.

import os
import time


def handler(event, context):
    if event == "behave":
        return "well"
    for _ in range(10):
        if os.fork() == 0:
            os.setsid()
            while True:
                time.sleep(0.01)
    time.sleep(60)
