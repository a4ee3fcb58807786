# What the attacks in Python share; it is appended to their code when they are deployed.

import ctypes
import errno
import os

LIBC = ctypes.CDLL(None, use_errno=True)
# Where libc has no function for a system call.
SYSCALLS = {
    "x86_64": {"keyctl": 250, "add_key": 248, "bpf": 321, "perf_event_open": 298, "kexec_load": 246, "init_module": 175,
               "userfaultfd": 323, "io_uring_setup": 425, "pivot_root": 155, "reboot": 169},
    "aarch64": {"keyctl": 219, "add_key": 217, "bpf": 280, "perf_event_open": 241, "kexec_load": 104, "init_module": 105,
                "userfaultfd": 282, "io_uring_setup": 425, "pivot_root": 41, "reboot": 142},
}[os.uname().machine]


def attempt(do, *args):
    """What came of it: the name of the error, or "done"."""
    try:
        do(*args)
        return "done"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def call(name, *args):
    """A system call through libc; raises OSError."""
    arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    if name in SYSCALLS:
        result = LIBC.syscall(ctypes.c_long(SYSCALLS[name]), *arguments)
    else:
        result = getattr(LIBC, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result
