"""A sandbox that has nothing to do is frozen and uses no processor; whatever becomes of it then, the function runs."""

import time

import pytest
from support import RUNTIMES, wait_for

CODE = """
import os, threading, time

def spin():
    while True:
        pass

def handler(event, context):
    if event == "spin":
        threading.Thread(target=spin, daemon=True).start()
    return os.getuid()
"""


@pytest.fixture(scope="module", autouse=True)
def soon(reload_once):
    reload_once("pool.freeze_after_ms=300")


@pytest.fixture
def function(deploy, runtime):
    return deploy(CODE, runtime=runtime)


def wait_until_frozen(stack, uid):
    cgroup = stack.cgroup_of_user(uid)
    wait_for("it to be frozen", cgroup.is_frozen, 5)
    return cgroup


def cgroups_of(stack, runtime):
    """The cgroups of all sandboxes of this runtime."""
    return [
        stack.cgroup_of_user(container["Config"]["User"].partition(":")[0])
        for container in stack.inspect_all()
        if container["HostConfig"]["Runtime"] == RUNTIMES[runtime]
    ]


def cpu_s_of_a_second(cgroups):
    before = [cgroup.cpu_s() for cgroup in cgroups]
    time.sleep(1)  # what is measured is use per time
    return [cgroup.cpu_s() - b for cgroup, b in zip(cgroups, before)]


def test_what_rests_is_frozen_and_uses_no_processor_and_wakes_at_once(api, function, runtime, stack):
    uid = api.output(function, "spin")  # without a freezer it would never rest
    wait_until_frozen(stack, uid)
    api.wait_for_rest()
    wait_for("spares to be there and frozen, too", lambda: len(cgroups_of(stack, runtime)) >= 2 and
             all(cgroup.is_frozen() for cgroup in cgroups_of(stack, runtime)), 20)  # fmt: skip
    cgroups = cgroups_of(stack, runtime)
    used = cpu_s_of_a_second(cgroups)
    assert max(used) < 0.1, used
    # Each is let go for a moment every twenty seconds: that one is not due again in the next second.
    breathed = [cgroup for cgroup, cpu_s in zip(cgroups, used) if cpu_s >= 0.002]
    time.sleep(0.2)  # a moment that the second's end cut in two is over
    assert max(cpu_s_of_a_second(breathed), default=0) < 0.002
    answer = api.execute(function)
    assert (answer.json()["output"], answer.headers["Berth-Start"]) == (uid, "warm")
    assert answer.elapsed.total_seconds() < 1


@pytest.mark.alone
def test_waking_costs_little(api, deploy, function, stack):
    rested = deploy(CODE, runtime=function["runtime"])

    def fastest(rest):
        took = []
        for _ in range(3):
            if rest:
                wait_until_frozen(stack, api.output(rested))
            took.append(api.execute(rested).elapsed.total_seconds())
        return min(took)

    uid = api.output(rested)
    at_once = fastest(rest=False)
    assert fastest(rest=True) < at_once + 0.03
    assert api.output(rested) == uid  # the same all the time


def test_what_runs_is_not_frozen(api, deploy, function, stack):
    code = "import os, time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return os.getuid()\n"
    sleeper = deploy(code, runtime=function["runtime"])
    cgroup = wait_until_frozen(stack, api.output(sleeper))
    answer = api.execute(sleeper, 1.0)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < 2
    assert not cgroup.is_frozen()


def test_a_frozen_sandbox_can_be_removed_by_somebody_else(api, function, stack):
    uid = api.output(function)
    wait_until_frozen(stack, uid)
    container = stack.container_of_user(uid)["Id"]
    # Docker asks gVisor's kernel to end the sandbox: that waits until the sandbox is let go for a moment.
    stack.docker("rm", "-f", container)
    assert api.output(function) != uid
    wait_for("nothing to be left over", lambda: stack.is_tidy(api), 20)


def test_the_next_poolmgr_removes_what_is_frozen(api, function, stack):
    uid = api.output(function)
    wait_until_frozen(stack, uid)
    before = set(stack.containers())
    stack.children("poolmgr")[0].kill()
    wait_for("all of them to go", lambda: not before & set(stack.containers()), 15)
    assert api.output(function) != uid
    wait_for("nothing to be left over", lambda: stack.is_tidy(api), 20)


def test_a_frozen_sandbox_is_removed_when_its_function_is_deleted(api, deploy, function, stack):
    other = deploy(CODE, runtime=function["runtime"])
    uid = api.output(other)
    wait_until_frozen(stack, uid)
    container = stack.container_of_user(uid)["Id"]
    assert api.delete(f"/functions/{other['id']}").status_code == 204
    wait_for("its container to go", lambda: container not in stack.containers(), 5)
