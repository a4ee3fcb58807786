"""Containers are ended from outside while requests come in: each costs at most the invocation that ran in it."""

import os
import signal

import pytest
from support import RUNTIMES, Cgroup, wait_for


def kill_first_processes(stack):
    for container in stack.inspect_all():
        if container["State"]["Pid"] > 0:
            try:
                os.kill(container["State"]["Pid"], signal.SIGKILL)
            except ProcessLookupError:
                pass  # gone meanwhile


WAYS = {
    "whose first process is killed": kill_first_processes,
    "that docker kill ends": lambda stack: stack.docker("kill", *stack.containers(), check=False),
    "that docker rm -f removes": lambda stack: stack.docker("rm", "-f", *stack.containers(), check=False),
}


def frozen(stack):
    return [c for c in stack.inspect_all() if c["State"]["Pid"] and Cgroup(c["State"]["Pid"]).is_frozen()]


@pytest.mark.parametrize("end_all", WAYS.values(), ids=WAYS.keys())
def test_all_containers(end_all, api, deploy, stack, start_traffic):
    idle = [deploy("def handler(event, context):\n    return 1\n", runtime=runtime) for runtime in RUNTIMES]
    for function in idle:
        api.output(function)
    all_traffic = [start_traffic(runtime) for runtime in RUNTIMES]
    wait_for("some to be frozen", lambda: len(frozen(stack)) >= len(idle))
    before = set(stack.containers())
    end_all(stack)
    # A frozen process dies when its sandbox is let go for a moment, which happens every twenty seconds.
    wait_for("all of them to go", lambda: not before & set(stack.containers()))
    for traffic in all_traffic:
        traffic.go_on(20)
        traffic.stop()
        assert {(a.status, a.code) for a in traffic.failed()} <= {(502, "sandbox_exited")}, traffic.failed()
        assert len(traffic.failed()) <= 2 * len(traffic.loads) * traffic.THREADS, traffic.failed()
    for function in idle:
        assert api.output(function) == 1
