# Changes its environment and the modules it shares with the agent, and reads what is there.

import os
import sys


def handler(event, context):
    if event == "behave":
        return "well"
    found = os.environ.get("LEFT"), getattr(sys, "left", None)
    os.environ["LEFT"] = sys.left = context.function_name
    return found
