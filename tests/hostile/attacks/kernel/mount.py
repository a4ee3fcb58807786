# Mounts, unmounts and changes the root.


def handler(event, context):
    if event == "behave":
        return "well"
    MS_BIND, MS_REMOUNT = 4096, 32
    return {
        "tmpfs": attempt(call, "mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "proc": attempt(call, "mount", b"none", b"/tmp", b"proc", 0, None),
        "cgroup": attempt(call, "mount", b"none", b"/tmp", b"cgroup", 0, b"memory"),
        "bind": attempt(call, "mount", b"/", b"/tmp", None, MS_BIND, None),
        "remount": attempt(call, "mount", None, b"/", None, MS_REMOUNT, None),
        "umount": attempt(call, "umount2", b"/berth", 2),
        "pivot_root": attempt(call, "pivot_root", b"/tmp", b"/tmp"),
        "chroot": attempt(call, "chroot", b"/tmp"),
    }
