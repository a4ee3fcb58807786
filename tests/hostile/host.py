"""What an attack may leave on the host: processes without a container, descriptors without a sandbox."""

import json
import re
import time
from collections import Counter
from pathlib import Path

from support import POLL_S

CONTAINER = re.compile(r"/(?:docker[-/])?([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)
# Connections to Docker Engine and PostgreSQL are kept and made as they are needed; a leak grows beyond that.
SPARE_CONNECTIONS = 6
SOCKETS_OF_A_SANDBOX = 4  # control, stdout, stderr, and its launcher's


def container_of(pid):
    """The container whose cgroup a process is in, or None. The host's view, for both runtimes."""
    try:
        found = CONTAINER.search(Path(f"/proc/{pid}/cgroup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return found and found.group(1)


def sandboxes_of(stack, code):
    """Container ids of the sandboxes that have this code linked into them."""
    found = []
    for container, sandbox in stack.containers().items():
        files = (stack.dir / "state" / "sandboxes" / sandbox).glob("**/function/main.py")
        try:
            if any(file.read_text() == code for file in files):
                found.append(container)
        except FileNotFoundError:
            pass  # gone meanwhile
    return found


def cgroup_procs(pid):
    """The file that lists all processes in the cgroup of a process."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("pids", ""):
            return Path(f"/sys/fs/cgroup/{controllers}{path}/cgroup.procs")
    raise LookupError(f"no cgroup of process {pid}")


def is_dead(pid):
    """A zombie is dead: it runs nothing and holds nothing, and waits for Docker to take note of that."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def living(procs_file):
    """The processes it lists; none once it is gone."""
    try:
        return [pid for pid in procs_file.read_text().split() if not is_dead(pid)]
    except OSError:  # ENOENT, or ENODEV for one that is just going
        return []


class Host:
    def __init__(self, stack):
        self.stack = stack
        settings = stack.settings()
        base = int(settings["sandbox.uid_base"])
        self.uids = range(base, base + int(settings["sandbox.uid_count"]))
        self.others_at_first, self.files_at_first = Counter(), Counter()
        for process in self.platform():
            counts = self.descriptors(process)
            for kind, most in (("others", self.others_at_first), ("file", self.files_at_first)):
                most[process.role] = max(most[process.role], counts[kind])

    @staticmethod
    def in_the_end(look, timeout_s=5):
        """What look() finds, once that is nothing, or when time is up."""
        deadline = time.monotonic() + timeout_s
        while (found := look()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return found

    def platform(self):
        return self.stack.children("poolmgr") + self.stack.children("invoke")

    # Processes

    def strays(self, gone):
        """
        Processes in the cgroup of a container that is gone, and with a sandbox's uid in no container at all. Other instances on
        this machine use the same uids in their containers, which come and go meanwhile.
        """
        found = []
        for process in Path("/proc").iterdir():
            try:
                if not process.name.isdigit() or " Z " in (process / "stat").read_text():
                    continue
                container = container_of(process.name)
                if container in gone or (container is None and process.stat().st_uid in self.uids):
                    found.append((process.name, (process / "cmdline").read_text().replace("\0", " ")))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    # Descriptors

    def descriptors(self, process):
        """How many there are of what: of each sandbox and container by its id, of sockets by who is at their other end."""
        named = {}
        for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
            fields = line.split()
            named[fields[6]] = fields[7] if len(fields) > 7 else ""
        counts = Counter()
        for entry in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                target = str(entry.readlink())
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                counts[self.kind_of_socket(named.get(target[8:-1]))] += 1
            elif target.startswith(f"{self.stack.dir}/state/sandboxes/"):
                counts["sandbox " + target.split("/")[-1].removesuffix(" (deleted)")] += 1
            elif target.startswith(f"{self.stack.dir}/state/spool/"):
                counts["spool"] += 1
            elif "/cgroup" in target:
                container = re.search("[0-9a-f]{64}", target)
                counts["container " + (container.group() if container else target)] += 1
            else:
                counts["file"] += 1
        return counts

    @staticmethod
    def kind_of_socket(name):
        """A socket belongs to the network namespace of who connected: one that is not listed in ours has a sandbox as its peer."""
        if name is None or name.endswith(("/control.sock", "/log.sock")):
            return "sandboxes"
        return "workers" if name.endswith("/poolmgr.sock") else "others"

    def surplus(self):
        """What processes of the platform have open of sandboxes that are no more, or more than belongs to those there are."""
        containers = self.stack.containers()
        known = {f"sandbox {one}" for one in containers.values()} | {f"container {one}" for one in containers}
        found = {}
        for process in self.platform():
            try:
                counts = self.descriptors(process)
            except FileNotFoundError:
                continue  # an idle worker that was not needed any more
            most = {
                "sandboxes": SOCKETS_OF_A_SANDBOX * len(containers) if process.role == "poolmgr" else 0,
                "others": self.others_at_first[process.role] + SPARE_CONNECTIONS,
                "file": self.files_at_first[process.role],
                "spool": 1,
            }
            wrong = {
                name: n for name, n in counts.items() if n > most.get(name, n) or (" " in name and name not in known)
            }
            if wrong:
                found[process.title] = json.dumps(wrong)
        return found
