# Forks children that stay, until no more can be had.

import errno
import os
import signal


def handler(event, context):
    if event == "behave":
        return "well"
    count = 0
    while count < 1000:
        try:
            if os.fork() == 0:
                signal.pause()
        except OSError as error:
            return {"error": errno.errorcode[error.errno], "children": count}
        count += 1
    return {"error": None, "children": count}
