"""With isolation per_invocation, nothing of one invocation is there in the next."""

import pytest
from support import in_background

CODE = """
import os, threading, time

calls = 0

def handler(event, context):
    global calls
    calls += 1
    found = [os.getuid(), calls, sorted(os.listdir("/tmp")), os.environ.get("LEFT"), threading.active_count()]
    open("/tmp/left", "w").write("x")
    os.environ["LEFT"] = "x"
    threading.Thread(target=time.sleep, args=[60], daemon=True).start()
    time.sleep((event or {}).get("sleep", 0))
    if (event or {}).get("raise"):
        raise ValueError("no")
    return found
"""


@pytest.fixture(scope="module")
def function(deploy_once, runtime):
    return deploy_once(CODE, runtime=runtime, isolation="per_invocation", timeout_ms=10000)


def test_each_invocation_has_a_sandbox_of_its_own(api, deploy, runtime, stack):
    function = deploy(CODE, runtime=runtime, isolation="per_invocation", timeout_ms=10000)
    assert function["isolation"] == "per_invocation"
    answers = [api.execute(function) for _ in range(4)]
    assert [a.status_code for a in answers] == [200] * 4
    users = [a.json()["output"][0] for a in answers]
    assert len(set(users)) == 4
    assert [a.json()["output"][1:] for a in answers] == [[1, [], None, 1]] * 4
    # The sandbox in which the deployment was tried has loaded the code, and run nothing yet.
    starts = [a.headers["Berth-Start"] for a in answers]
    assert starts[0] in ("warm", "prewarmed", "cold") and set(starts[1:]) <= {"prewarmed", "cold"}


def test_one_that_failed_is_not_used_again_either(api, function):
    assert api.execute(function, {"raise": True}).status_code == 502
    assert api.output(function)[1:] == [1, [], None, 1]


def test_invocations_at_the_same_time_run_at_the_same_time(api, function):
    calls = [in_background(lambda: api.execute(function, {"sleep": 1.5})) for _ in range(4)]
    answers = [call() for call in calls]
    assert [a.status for a in answers] == [200] * 4
    assert len({a.output[0] for a in answers}) == 4
    assert all(a.output[1:] == [1, [], None, 1] for a in answers)
    assert max(a.started for a in answers) < min(a.ended for a in answers)


def test_a_put_can_change_how_it_is_isolated(api, deploy, runtime):
    function = deploy(CODE, runtime=runtime)
    assert function["isolation"] == "per_function"
    assert len({api.output(function)[0] for _ in range(3)}) == 1
    assert api.put(f"/functions/{function['id']}", json={"isolation": "per_invocation"}).status_code == 200
    assert len({api.output(function)[0] for _ in range(3)}) == 3
