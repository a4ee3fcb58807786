# Becomes root: by asking, by capabilities, by programs that are setuid.

import ctypes
import os
import subprocess


def handler(event, context):
    if event == "behave":
        return "well"
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
    result = {
        "setuid": attempt(os.setuid, 0),
        "setresuid": attempt(os.setresuid, 0, 0, 0),
        "setgid": attempt(os.setgid, 0),
        "setgroups": attempt(os.setgroups, [0]),
        "capset": attempt(call, "capset", header, data),
        "another user": attempt(os.setuid, os.getuid() + 1),
    }
    programs = []
    for directory in ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/lib"):
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and os.stat(path).st_mode & 0o6000:
                programs.append(path)
    if "/usr/bin/su" in programs:
        done = subprocess.run(["/usr/bin/su", "-c", "id -u"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
        result["su"] = "done" if done.stdout.strip() == b"0" else "EPERM"
    return result
