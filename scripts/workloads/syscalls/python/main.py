"""Asks the kernel, over and over: process ids, what a file is, a byte of a device."""

import os

ROUNDS = 3000


def handler(event, context):
    zero = os.open("/dev/zero", os.O_RDONLY)
    try:
        got = 0
        for _ in range(ROUNDS):
            os.getppid()
            os.stat("/tmp")
            got += len(os.read(zero, 1))
        return got
    finally:
        os.close(zero)
