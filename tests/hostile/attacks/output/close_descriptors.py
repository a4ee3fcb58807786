# Closes all descriptors, the agent's own included.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    os.closerange(0, 1000)
    return "closed"
