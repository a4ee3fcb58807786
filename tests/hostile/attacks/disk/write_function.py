# Changes its own code, which other sandboxes of the same version share through hard links.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    code = "/berth/function/main.py"
    return {
        "append": attempt(open, code, "a"),
        "chmod": attempt(os.chmod, code, 0o777),
        "chown": attempt(os.chown, code, os.getuid(), os.getgid()),
        "times": attempt(os.utime, code),
        "truncate": attempt(os.truncate, code, 0),
        "unlink": attempt(os.unlink, code),
        "rename": attempt(os.rename, code, "/berth/function/other.py"),
        "link": attempt(os.link, code, "/tmp/main.py"),
        "beside": attempt(open, "/berth/function/new.py", "w"),
        "directory": attempt(os.mkdir, "/berth/new"),
        "attribute": attempt(os.setxattr, code, "user.x", b"x"),
    }
