# Matches a regular expression that takes exponentially long.

import re


def handler(event, context):
    if event == "behave":
        return "well"
    return bool(re.match("(a+)+$", "a" * 64 + "b"))
