# Prints from a thread when its invocation is over.

import threading
import time


def later():
    for _ in range(5):
        time.sleep(0.005)
        print("left by a thread")


def handler(event, context):
    if event == "behave":
        return "well"
    if event == "again":
        print("mine")
    else:
        threading.Thread(target=later).start()
    return "answered"
