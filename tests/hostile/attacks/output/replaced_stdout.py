# Replaces standard output by something that fails, and its descriptor by another.

import os
import sys


class Broken:
    def __getattr__(self, name):
        raise RuntimeError(name)


def handler(event, context):
    if event == "behave":
        return "well"
    sys.stdout = sys.stderr = Broken()
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    return "replaced"
