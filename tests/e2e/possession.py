"""Takes the part of a running process: it makes the system calls a test wants, with all that it may and may not do (user, groups,
capabilities, seccomp, Landlock), and then goes on with its own work."""

import ctypes
import errno
import os
import platform
import signal
import struct
import time

SEIZE, INTERRUPT, DETACH, SINGLESTEP, GETREGS, SETREGS = 0x4206, 0x4207, 17, 9, 12, 13
WALL = 0x40000000  # waitpid(2), __WALL
TIMEOUT_S = 20

# x86-64: struct user_regs_struct, and the numbers of the calls.
REGISTERS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs".split()
)
ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
CALL = b"\x0f\x05"
NUMBERS = {
    "close": 3, "connect": 42, "execve": 59, "kill": 62, "openat": 257, "ptrace": 101, "setuid": 105, "socket": 41, "truncate": 76
}  # fmt: skip
NOT_TO_BE_SEEN = -516, -514, -513, -512  # ERESTART…: how the kernel remembers a call that was interrupted

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p
libc.ptrace.restype = ctypes.c_long


def is_possible():
    return platform.machine() == "x86_64"


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {pid})")


class Registers:
    def __init__(self, values):
        self.values = dict(zip(REGISTERS, values))

    @classmethod
    def of(cls, pid):
        buffer = ctypes.create_string_buffer(8 * len(REGISTERS))
        ptrace(GETREGS, pid, buffer)
        return cls(struct.unpack(f"{len(REGISTERS)}Q", buffer.raw))

    def set(self, pid):
        packed = struct.pack(f"{len(REGISTERS)}Q", *(self.values[name] for name in REGISTERS))
        ptrace(SETREGS, pid, ctypes.create_string_buffer(packed, len(packed)))

    def changed(self, **changes):
        return Registers(({**self.values, **{k: v % 2**64 for k, v in changes.items()}}).values())

    def signed(self, name):
        value = self.values[name]
        return value - 2**64 if value >= 2**63 else value


class Possessed:
    """with Possessed(pid) as process: process.call("openat", …) → what the call returned, or minus errno. The process must be one
    that sleeps in a system call sooner or later."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        ptrace(SEIZE, self.pid)
        try:
            self.memory = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
            self.stop_in_a_call()
        except BaseException:
            libc.ptrace(DETACH, self.pid, None, None)
            raise
        return self

    def __exit__(self, *_):
        os.close(self.memory)
        before = self.before
        if before.signed("rax") in NOT_TO_BE_SEEN:
            before = before.changed(rax=-errno.EINTR, orig_rax=-1)
        before.set(self.pid)
        ptrace(DETACH, self.pid)

    def stop_in_a_call(self):
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            ptrace(INTERRUPT, self.pid)
            self.wait()
            self.before = Registers.of(self.pid)
            if os.pread(self.memory, 2, self.before.values["rip"] - 2) == CALL:
                return
            assert time.monotonic() < deadline, f"process {self.pid} never sleeps"
            libc.ptrace(7, self.pid, None, None)  # PTRACE_CONT
            time.sleep(0.01)

    def wait(self):
        _, status = os.waitpid(self.pid, WALL)
        assert os.WIFSTOPPED(status), f"process {self.pid} has ended: {status:#x}"
        return os.WSTOPSIG(status)

    def call(self, name, *arguments):
        """Texts and bytes are put into its memory."""
        at = (self.before.values["rsp"] - 2048) & ~15
        saved = os.pread(self.memory, 1024, at)
        values, used = {}, 0
        for register, argument in zip(ARGUMENTS, arguments):
            if isinstance(argument, (str, bytes)):
                data = argument.encode() + b"\0" if isinstance(argument, str) else argument
                os.pwrite(self.memory, data, at + used)
                argument, used = at + used, used + len(data) + 15 & ~15
            values[register] = argument
        assert used <= len(saved)
        self.before.changed(rip=self.before.values["rip"] - 2, rax=NUMBERS[name], orig_rax=-1, **values).set(self.pid)
        libc.ptrace(SINGLESTEP, self.pid, None, None)
        assert self.wait() == signal.SIGTRAP
        result = Registers.of(self.pid).signed("rax")
        os.pwrite(self.memory, saved, at)
        return result

    def open(self, path, flags, mode=0):
        """0 when it could, else errno."""
        result = self.call("openat", -100, str(path), flags, mode)
        if result >= 0:
            self.call("close", result)
        return max(-result, 0)

    def connect(self, path, socket_type=1):
        """The same for a unix socket."""
        fd = self.call("socket", 1, socket_type, 0)
        if fd < 0:
            return -fd
        result = self.call("connect", fd, struct.pack("H", 1) + str(path).encode() + b"\0", 2 + len(str(path)) + 1)
        self.call("close", fd)
        return -result
