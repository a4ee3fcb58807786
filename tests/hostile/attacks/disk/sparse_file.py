# Makes a file look larger than the file system: one byte at 1 TB, then a file of 1 TB without any.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    fd = os.open("/tmp/sparse", os.O_CREAT | os.O_RDWR)
    return {
        "write": attempt(os.pwrite, fd, b"x", 1 << 40),
        "truncate": attempt(os.ftruncate, fd, 1 << 40),
        "allocate": attempt(os.posix_fallocate, fd, 0, 1 << 40),
    }
