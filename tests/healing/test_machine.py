"""Everything is killed at once, as when the machine fails, and started again: nothing that was answered is forgotten."""

import os
import signal

from platform_parts import command_line
from support import RUNTIMES, Cgroup, processes, wait_for

BACK_S = 10


def everything(stack):
    """All processes of the stack: daemons, shims, what runs in sandboxes, and all they have started."""
    running = processes()
    daemons = {int((stack.dir / "pids" / name).read_text().split()[0]) for name in ("postgres", "dockerd", "berthd", "nginx")}
    found = {p.pid for p in running if p.pid in daemons or f"{stack.dir}/docker/" in command_line(p.pid)}
    while children := {p.pid for p in running if p.parent in found} - found:
        found |= children
    return [p for p in running if p.pid in found]


def kill(processes_, signal_number):
    for p in processes_:
        try:
            os.kill(p.pid, signal_number)
        except ProcessLookupError:
            pass  # gone with its parent


def kill_at_once(stack):
    """Stopped first: no parent notices that a child is gone, and starts another one."""
    found = {}
    while new := [p for p in everything(stack) if p.pid not in found]:
        kill(new, signal.SIGSTOP)
        found |= {p.pid: p for p in new}
    kill(found.values(), signal.SIGKILL)
    return found.values()


def test_all_of_it_works_again_after_everything_was_killed_at_once(stack, start_traffic):
    all_traffic = [start_traffic(runtime) for runtime in RUNTIMES]
    cgroups = [Cgroup(c["State"]["Pid"]) for c in stack.inspect_all() if c["State"]["Pid"]]
    killed = kill_at_once(stack)
    for cgroup in cgroups:
        cgroup.thaw()  # a machine that fails does not wait for what is frozen
    wait_for("all of them to be gone", lambda: not any(p.is_alive() for p in killed))
    wait_for("clients to notice", lambda: all_traffic[0].api_load.answers[-1].error)
    stack.run("up")
    for traffic in all_traffic:
        traffic.go_on(20, BACK_S)
        traffic.stop()
        for answer in traffic.failed():
            assert answer.error or answer.code in ("bad_gateway", "draining", "runtime_unavailable", "sandbox_exited"), answer
