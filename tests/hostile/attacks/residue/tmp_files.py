# Leaves files in /tmp and reads what is there.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    found = sorted(os.listdir("/tmp")) + sorted(os.listdir("/dev/shm"))
    for place in ("/tmp", "/dev/shm"):
        with open(f"{place}/left by {context.function_name} {context.function_version}", "w") as file:
            file.write("secret")
    return found
