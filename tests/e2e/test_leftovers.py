"""A sandbox that dies of what an earlier invocation left behind costs no later call: a fresh one serves that."""

import time

import pytest
from support import wait_for

CODE = """
exports.handler = async (event) => {
    if (event.exit_after_ms !== undefined) setTimeout(() => process.exit(3), event.exit_after_ms);
    if (event.throw_after_ms !== undefined) setTimeout(() => { throw new Error("late") }, event.throw_after_ms);
    return process.getuid();
};
"""
LATER_MS = 1000
ROUNDS = 5


@pytest.fixture(scope="module", autouse=True)
def soon(reload_once):
    reload_once("pool.freeze_after_ms=300")


@pytest.fixture
def function(deploy, runtime):
    return deploy(CODE, language="javascript", runtime=runtime)


@pytest.mark.parametrize("what", ["exit_after_ms", "throw_after_ms"])
def test_a_timer_that_falls_due_while_the_sandbox_is_frozen_costs_no_call(api, function, stack, what):
    for _ in range(2):
        uid = api.output(function, {what: LATER_MS})
        due = time.monotonic() + LATER_MS / 1000
        wait_for("it to be frozen", stack.cgroup_of_user(uid).is_frozen, LATER_MS / 1000)
        wait_for("the timer to fall due", lambda due=due: time.monotonic() > due)
        api.output(function, {})


@pytest.mark.parametrize("after_ms", [5, 20])
def test_an_exit_right_after_the_answer_costs_no_call(api, function, after_ms):
    for _ in range(ROUNDS):
        api.output(function, {"exit_after_ms": after_ms})
        end = time.monotonic() + 2 * after_ms / 1000
        api.output(function, {})
        while time.monotonic() < end:
            api.output(function, {})
