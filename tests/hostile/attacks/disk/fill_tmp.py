# Fills /tmp and leaves it full.

import errno


def handler(event, context):
    if event == "behave":
        return "well"
    written = 0
    try:
        while written < 1 << 30:
            with open(f"/tmp/{written}", "wb", buffering=0) as file:
                written += file.write(b"x" * (1 << 20))
    except OSError as error:
        return {"error": errno.errorcode[error.errno], "written_mb": written >> 20}
    return {"error": None, "written_mb": written >> 20}
