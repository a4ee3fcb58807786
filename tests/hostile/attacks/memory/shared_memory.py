# Fills /dev/shm, which is memory that no limit of /tmp counts.

import errno


def handler(event, context):
    if event == "behave":
        return "well"
    written = 0
    try:
        while written < 1 << 30:
            with open(f"/dev/shm/{written}", "wb", buffering=0) as file:
                written += file.write(b"x" * (1 << 20))
    except OSError as error:
        return {"error": errno.errorcode[error.errno], "written_mb": written >> 20}
    return {"error": None, "written_mb": written >> 20}
