"""A sandbox that no poolmgr knows any more ends, whatever its function holds on to: nothing it can reach says that it is somebody's."""

import pytest
from host import cgroup_procs, living, sandboxes_of
from support import in_background, unique, wait_for
from table import RUNTIMES, SETTINGS

GONE_S = 15  # a new poolmgr, the moment it gives workers to name what they hold, and Docker

# Waits for the lock on each thing of the host's that it sees, and keeps those it gets. PyDLL: the interpreter, and so the agent,
# which shares it, stands still meanwhile and for ever after. The event says where: in the invocation or in a thread behind it.
HOLDER = """
import ctypes
import os
import threading

LOCK_EX, LOCK_NB = 2, 4
waiting = ctypes.PyDLL(None)


def lock_everything():
    for top in ("/berth", "/opt/berth"):
        for directory, _, files in os.walk(top):
            for path in [directory, *(os.path.join(directory, name) for name in files)]:
                try:
                    fd = os.open(path, os.O_RDONLY)
                except OSError:
                    continue
                if path == "/berth":
                    last = fd
                else:
                    waiting.flock(fd, LOCK_EX | LOCK_NB)
    waiting.flock(last, LOCK_EX)
    while True:
        waiting.pause()


def handler(event, context):
    if event == "behind":
        threading.Timer(0.01, lock_everything).start()
        return "answered"
    lock_everything()
"""


@pytest.mark.parametrize("event", ["in the invocation", "behind"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_function_that_locks_all_it_sees_does_not_outlive_its_poolmgr(event, runtime, api, stack, deploy):
    code = f"# {unique('holder')}\n{HOLDER}"
    function = deploy(code, runtime=runtime, **SETTINGS)
    answer = in_background(lambda: api.execute(function, event))
    if event == "behind":
        assert answer().status == 200
    (container,) = sandboxes_of(stack, code)
    procs = cgroup_procs(stack.inspect(container)["State"]["Pid"])
    stack.children("poolmgr")[0].kill()
    assert answer().status in (200, 504)
    assert api.delete(f"/functions/{function['id']}").status_code == 204
    wait_for("its processes to be dead", lambda: not living(procs), GONE_S)
    wait_for("its container to be gone", lambda: container not in stack.containers(), GONE_S)
    wait_for("sandboxes, containers and directories to agree", lambda: stack.is_tidy(api), 30)
