# Spins in ten processes, to have more than its share of the processors.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    for _ in range(9):
        if os.fork() == 0:
            break
    while True:
        pass
