# Ends its process at once, with success.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    os._exit(0)
