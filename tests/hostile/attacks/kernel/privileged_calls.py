# System calls that only an administrator may make. With arguments that would do nothing if they were allowed.

import ctypes


def handler(event, context):
    if event == "behave":
        return "well"
    return {
        "init_module": attempt(call, "init_module", None, 0, b""),
        "kexec_load": attempt(call, "kexec_load", 0, 0, None, 0),
        "reboot": attempt(call, "reboot", 0, 0, 0, None),
        "sethostname": attempt(call, "sethostname", b"sandbox", 7),
        "swapon": attempt(call, "swapon", b"/nowhere", 0),
        "acct": attempt(call, "acct", b"/nowhere"),
        "settimeofday": attempt(call, "settimeofday", None, ctypes.create_string_buffer(8)),
        "open_by_handle_at": attempt(call, "open_by_handle_at", -100, ctypes.create_string_buffer(b"\x08\0\0\0\1", 64), 0),
        "iopl": attempt(call, "iopl", 3),
        "nice": attempt(call, "setpriority", 0, 0, -20),
    }
