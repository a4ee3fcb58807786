"""Processor time and memory, read from /proc and the sandboxes' cgroups (v1 and v2)."""

import collections
import contextlib
import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
ENGINE = ("dockerd", "containerd", "containerd-shim")  # how the names of Docker Engine's processes begin

# left: what it has used goes to an account of its parent when it ends
Account = collections.namedtuple("Account", "role id left")


class Process:
    def __init__(self, pid):
        self.pid = pid
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        self.name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        self.parent = int(fields[1])
        self.cpu_s = (int(fields[11]) + int(fields[12])) / TICKS
        self.ended_s = (int(fields[13]) + int(fields[14])) / TICKS  # of children it has waited for
        self.title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")

    @property
    def role(self):
        """"invoke" of "berthd: invoke/3"."""
        return self.title.partition(": ")[2].partition("/")[0] if self.title.startswith("berthd: ") else "master"

    def pss_kb(self):
        rollup = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def processes():
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found[int(name)] = Process(int(name))
    return found


def tree(found, root):
    """The process and all that descend from it."""
    children = collections.defaultdict(list)
    for p in found.values():
        children[p.parent].append(p)
    members = [found[root]]
    for member in members:
        members += children[member.pid]
    return members


def berthd_processes(stack):
    return tree(processes(), stack.pid("berthd"))


def _tree_accounts(found, root, role_of):
    """role_of(process), or of None: whose are those that have ended."""
    members = tree(found, root)
    accounts = {Account(role_of(p), p.pid, True): p.cpu_s for p in members}
    accounts[Account(role_of(None), f"ended {root}", False)] = members[0].ended_s
    return accounts


def stack_accounts(stack, cgroups):
    """What everything that is involved in Berth has used so far. cgroups: of the sandboxes (Cgroup)."""
    found = processes()
    # Of berthd's processes only invoke workers come and go.
    accounts = _tree_accounts(found, stack.pid("berthd"), lambda p: p.role if p else "invoke")
    for name in ("nginx", "postgres"):
        accounts |= _tree_accounts(found, stack.pid(name), lambda p, name=name: name)
    for p in found.values():
        if p.name.startswith(ENGINE):
            accounts[Account("docker", p.pid, False)] = p.cpu_s + p.ended_s
    for cgroup in cgroups:
        with contextlib.suppress(FileNotFoundError):
            accounts[Account("sandboxes", cgroup.path, False)] = cgroup.cpu_s()
    return accounts


def baseline_accounts(baseline):
    found = processes()
    return _tree_accounts(found, baseline.nginx.pid, lambda p: "nginx") | _tree_accounts(
        found, baseline.responder.pid, lambda p: "agent" if p and p.name != "responder" else "responder")


def used(before, after):
    """Role → seconds between two such sets of accounts."""
    roles = collections.Counter()
    for account, seconds in after.items():
        roles[account.role] += seconds - before.get(account, 0)
    for account in before.keys() - after.keys():
        if account.left:
            roles[account.role] -= before[account]
    return {role: max(seconds, 0) for role, seconds in roles.items()}


class Cgroup:
    """Of a container, found by its first process."""

    def __init__(self, pid):
        paths = {}
        for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                paths[controller] = path.strip("/")
        self.is_v1 = "cpuacct" in paths
        self.path = paths["cpuacct"] if self.is_v1 else paths[""]

    def _read(self, controller, v1_name, v2_name):
        if self.is_v1:
            return (CGROUPS / controller / self.path / v1_name).read_text()
        return (CGROUPS / self.path / v2_name).read_text()

    def cpu_s(self):
        text = self._read("cpuacct", "cpuacct.usage", "cpu.stat")
        return int(text) / 1e9 if self.is_v1 else int(text.split()[1]) / 1e6

    def memory_mb(self):
        return int(self._read("memory", "memory.usage_in_bytes", "memory.current")) / 2**20

    def is_frozen(self):
        return self._read("freezer", "freezer.state", "cgroup.freeze").strip() in ("FROZEN", "1")


def cgroups_of(sandboxes):
    """Of containers as Engine.sandboxes() gives them."""
    found = []
    for one in sandboxes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append(Cgroup(one["State"]["Pid"]))
    return found
