"""At the deadline a function ends with all it has started."""

import statistics
import time

import pytest
from host import cgroup_procs, container_of, living, sandboxes_of
from support import check_problem, processes, wait_for
from table import RUNTIMES, SETTINGS

TIMEOUT_MS = 300
MOST_S = 0.100
ROUNDS = 20
POLL_S = 0.001  # not at once again, which would take a processor from those who kill

# Each child has children while it can, in sessions of their own, deaf to signals.
TREE = """
import os
import signal
import time


def handler(event, context):
    if event == "behave":
        return "well"
    for n in range(4):
        if os.fork() == 0:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            if n % 2 and os.fork() == 0:
                os.setsid()
            while True:
                if os.fork() == 0:
                    os._exit(0)
                os.wait()
    while True:
        time.sleep(1)
"""


def rest_of(api, stack, function, code):
    """How long something of the sandbox is still alive: after the deadline, and after the 504."""
    found = wait_for("the one sandbox of the function", lambda: [c for c in [sandboxes_of(stack, code)] if len(c) == 1])
    container = found[0][0]
    inspected = stack.inspect(container)
    uid = int(inspected["Config"]["User"].partition(":")[0])
    procs = cgroup_procs(inspected["State"]["Pid"])
    assert living(procs)

    deadline = time.monotonic() + TIMEOUT_MS / 1000  # a little later in truth: the request takes its time to get there
    answer = api.execute(function)
    received = time.monotonic()
    while living(procs) and time.monotonic() < received + 5:
        time.sleep(POLL_S)
    dead = time.monotonic()

    check_problem(answer, 504, "function_timeout")
    # Nobody of this uid has left the container, either. Other containers may be another instance's. A process that is on its way
    # out is in no container any more, and not yet a zombie.
    def left():
        return [p for p in processes() if p.state != "Z" and uid in p.uids and container_of(p.pid) in (container, None)]

    wait_for("nobody of its user to be left", lambda: not left(), 1)
    return dead - deadline, dead - received


@pytest.mark.alone
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_whole_process_tree_is_dead_100_ms_after_the_timeout(api, stack, deploy, runtime):
    code = f"{TREE}\n# {runtime}\n"
    # gVisor needs several threads of the host for each process.
    function = deploy(code, runtime=runtime, **SETTINGS | {"timeout_ms": TIMEOUT_MS, "pids": 256, "max_concurrency": 1})
    rounds = []
    for _ in range(ROUNDS):
        rounds.append(rest_of(api, stack, function, code))
        api.output(function, "behave")  # so that there is a sandbox for the next round
    after_deadline, after_answer = (sorted(one) for one in zip(*rounds))
    print(f"{runtime}: {', '.join(f'{one * 1000:.0f}' for one in after_deadline)} ms after the deadline")
    # Once in a while something else has the processor just then.
    assert after_answer[ROUNDS * 9 // 10 - 1] < MOST_S, after_answer
    assert after_answer[-1] < 10 * MOST_S, after_answer
    # On the way there and back others want the processor, too.
    assert statistics.median(after_deadline) < MOST_S, after_deadline
