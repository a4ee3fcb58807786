# Opens files until no more can be had, and keeps them open.

import errno
import os

kept = []


def handler(event, context):
    if event == "behave":
        return "well"
    try:
        while len(kept) < 5000:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return {"error": errno.errorcode[error.errno], "opened": len(kept)}
    return {"error": None, "opened": len(kept)}
