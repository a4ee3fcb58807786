"""What a stack rests on, to be stopped, killed and started again; and what may be left of it."""

import os
import re
import time
from pathlib import Path

from support import POLL_S, Process, processes, wait_for


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Daemon:
    """One that scripts/stack starts: `up` starts it again, as a service manager would."""

    def __init__(self, stack, name):
        self.stack, self.name = stack, name

    def process(self):
        return Process(int((self.stack.dir / "pids" / self.name).read_text().split()[0]))

    def end(self, signal_number, timeout_s=30):
        process = self.process()
        process.kill(signal_number)
        wait_for(f"{self.name} to end", lambda: not process.is_alive(), timeout_s)

    def start(self):
        self.stack.run("up")


class Postgres(Daemon):
    def __init__(self, stack):
        super().__init__(stack, "postgres")


class Docker(Daemon):
    def __init__(self, stack):
        super().__init__(stack, "dockerd")


class Containerd:
    """The one that the stack's dockerd has started, and starts again."""

    def __init__(self, stack):
        self.stack = stack

    def process(self):
        config = f"{self.stack.dir}/docker/exec/containerd/"
        found = [p for p in processes() if p.title.endswith("containerd") and config in command_line(p.pid)]
        return found[0] if found else None


class Leftovers:
    """Processes of sandboxes that no container stands for any more, and volumes that none uses."""

    CONTAINER_ID = re.compile("[0-9a-f]{64}")

    def __init__(self, stack):
        containers = stack.containers()
        sandboxes = f"{stack.dir}/state/sandboxes/"
        dangling = ("--filter", "dangling=true", "--filter", f"label=berth.instance={stack.instance}")
        self.volumes = stack.docker("volume", "ls", "-q", *dangling).split()
        self.processes = []
        for p in processes():
            line = command_line(p.pid)
            owner = self.CONTAINER_ID.search(line) if f"{stack.dir}/docker/" in line else None
            if owner and owner.group() not in containers:
                self.processes.append(line[:200])
            sandbox = self.sandbox_of(p.pid, sandboxes)
            if sandbox and sandbox not in containers.values():
                self.processes.append(f"{sandbox}: {line[:200]}")

    @staticmethod
    def sandbox_of(pid, sandboxes):
        """The sandbox whose directory a process has mounted at /berth."""
        try:
            for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
                fields = line.split()
                if fields[4] == "/berth":
                    return fields[3].split("/")[-2] if sandboxes in fields[3] else None
        except (OSError, IndexError):
            pass
        return None

    def all(self):
        return self.processes + self.volumes

    @classmethod
    def wait_for_none(cls, stack, timeout_s):
        """Until there are none; says which there are in the end."""
        deadline = time.monotonic() + timeout_s
        while left := cls(stack).all():
            assert time.monotonic() < deadline, "left over:\n" + "\n".join(left)
            time.sleep(POLL_S)
