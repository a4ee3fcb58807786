"""Works with small files in /tmp: writes, lists, reads and deletes them."""

import os
import tempfile

FILES = 200


def handler(event, context):
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        for i in range(FILES):
            with open(f"{directory}/{i}", "wb") as file:
                file.write(b"x" * 1000)
        size = 0
        for name in os.listdir(directory):
            with open(f"{directory}/{name}", "rb") as file:
                size += len(file.read())
    return size
