# Makes and opens devices: disks, memory, the kernel's log, virtual machines.

import os
import stat


def make_and_open(path, kind, device):
    os.mknod(path, kind | 0o666, device)
    os.open(path, os.O_RDWR)


def handler(event, context):
    if event == "behave":
        return "well"
    result = {
        "a disk": attempt(make_and_open, "/tmp/disk", stat.S_IFBLK, os.makedev(254, 0)),
        "the memory": attempt(make_and_open, "/tmp/mem", stat.S_IFCHR, os.makedev(1, 1)),
    }
    for name in ("mem", "kmem", "port", "kmsg", "vda", "sda", "kvm", "fuse", "net/tun", "vhost-vsock", "loop-control", "console"):
        result[name] = attempt(os.open, f"/dev/{name}", os.O_RDWR)
    return result
