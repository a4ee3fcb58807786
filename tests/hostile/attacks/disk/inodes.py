# Makes empty files until no more can be had, and leaves them.

import errno
import os


def handler(event, context):
    if event == "behave":
        return "well"
    count = 0
    try:
        while count < 5000:
            os.close(os.open(f"/tmp/{count}", os.O_CREAT | os.O_WRONLY))
            count += 1
    except OSError as error:
        return {"error": errno.errorcode[error.errno], "files": count}
    return {"error": None, "files": count}
