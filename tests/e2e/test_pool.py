"""How many sandboxes there are: kept warm without requests, within a memory budget, no more than a function may have or needs."""

import os
import signal
import time

import pytest
from support import PYTHON_SANDBOX_ID, check_problem, default_label, in_background, wait_for

CODE = f"""
import time
{PYTHON_SANDBOX_ID}
def handler(event, context):
    time.sleep(event or 0)
    return sandbox_id()
"""


def pool(api):
    return api.get("/readyz").json()["pool"]


def wait_until_kept(api, count):
    """Until so many sandboxes are kept, of all functions together, and all of them are loaded."""

    def are():
        p = pool(api)
        busy = p["sandboxes"]["assigned"] + p["sandboxes"]["warming"]
        return p["min_warm"]["wanted"] == p["min_warm"]["live"] == count and busy == 0

    wait_for(f"{count} sandboxes to be kept warm", are, 30)


def starts_at_once(api, function, count, seconds=0.5):
    """Berth-Start of so many invocations that run at the same time."""
    calls = [in_background(lambda: api.execute(function, seconds)) for _ in range(count)]
    answers = [call() for call in calls]
    assert [a.status for a in answers] == [200] * count, answers
    return sorted(a.headers["Berth-Start"] for a in answers)


# min_warm


def test_the_first_invocations_of_a_function_kept_warm_are_warm(api, deploy, runtime):
    function = deploy(CODE, min_warm=3, runtime=runtime, timeout_ms=10000)
    assert function["min_warm"] == 3
    wait_until_kept(api, 3)
    assert starts_at_once(api, function, 3) == ["warm"] * 3


def test_a_new_version_is_kept_warm_and_none_is_when_that_is_taken_back(api, deploy, stack):
    function = deploy(CODE, min_warm=2, timeout_ms=10000)
    wait_until_kept(api, 2)
    before = set(stack.containers().values())
    old = api.output(function)
    assert old in before
    assert api.put(f"/functions/{function['id']}", json={"code": CODE + "\n# new\n"}).status_code == 200
    wait_for("the old sandboxes to go", lambda: old not in stack.containers().values())
    wait_until_kept(api, 2)
    assert starts_at_once(api, function, 2) == ["warm"] * 2
    assert api.put(f"/functions/{function['id']}", json={"min_warm": 0}).status_code == 200
    wait_until_kept(api, 0)


def test_sandboxes_kept_warm_outlive_the_idle_timeout(api, deploy, reload):
    function = deploy(CODE, min_warm=2, timeout_ms=10000)
    others = deploy(CODE, timeout_ms=10000)
    wait_until_kept(api, 2)
    assert len(starts_at_once(api, others, 2)) == 2
    reload("pool.idle_timeout_ms=300")
    wait_for("only what is kept to be idle", lambda: pool(api)["sandboxes"]["idle"] == 2)
    wait_until_kept(api, 2)
    assert starts_at_once(api, function, 2) == ["warm"] * 2


def test_one_that_is_killed_is_replaced_and_so_are_all_when_poolmgr_is(api, deploy, stack):
    function = deploy(CODE, min_warm=2, timeout_ms=10000)
    wait_until_kept(api, 2)
    victim = api.output(function)
    api.wait_for_rest()
    stack.docker("kill", stack.sandbox_container(victim))
    wait_for("it to be gone", lambda: victim not in stack.containers().values())
    wait_until_kept(api, 2)

    (poolmgr,) = stack.children("poolmgr")
    os.kill(poolmgr.pid, signal.SIGKILL)
    wait_for("another poolmgr", lambda: [p.pid for p in stack.children("poolmgr")] not in ([], [poolmgr.pid]))
    wait_for("it to be ready", lambda: api.get("/readyz").status_code == 200, 30)
    wait_until_kept(api, 2)
    assert starts_at_once(api, function, 2) == ["warm"] * 2


def test_code_that_does_not_load_is_told_and_not_tried_without_end(api, deploy, stack):
    code = "import os\nraise ValueError(os.environ['DB_PASSWORD'])\ndef handler(e, c): pass\n"
    password = "not-for-everybody"
    mark = stack.log_mark()
    function = deploy(code, min_warm=1, environment={"DB_PASSWORD": password})
    assert [w["code"] for w in function["warnings"]] == ["init_error"]
    wait_for("the failure to be told", lambda: pool(api)["min_warm"]["problems"])
    (problem,) = pool(api)["min_warm"]["problems"]
    assert (problem["function"], problem["name"]) == (function["id"], function["name"])
    assert "loading its code failed" in problem["problem"]
    wait_for("a second try", lambda: stack.log_since(mark).count("cannot be kept warm") == 2)
    assert "tried again in 2 s" in stack.log_since(mark)
    told = check_problem(api.execute(function), 502, "init_error")
    assert told["error"]["message"] == "***"
    for text in (api.get("/readyz").text, api.get("/metrics/system").text, stack.log_since(mark)):
        assert password not in text


def errors_of(answer):
    return [(e["field"], e["message"]) for e in check_problem(answer, 422, "invalid_function")["errors"]]


def test_min_warm_leaves_room_for_calls_and_deployments_whatever_was_stored_before(api, deploy, reload):
    small = {"memory_limit_mb": 64, "timeout_ms": 10000}
    greedy = [deploy(CODE, min_warm=5, **small) for _ in range(2)]
    other = deploy(CODE, **small)
    reload("pool.max_sandboxes=8")
    wait_until_kept(api, 4)
    problems = {p["function"]: p["problem"] for p in pool(api)["min_warm"]["problems"]}
    assert problems.keys() == {function["id"] for function in greedy}
    assert all("pool.min_warm_percent" in text for text in problems.values())

    assert starts_at_once(api, other, 6, 1)
    for function in greedy:
        api.output(function)
    deploy(CODE, **small)
    for change in ({"code": CODE + "# new\n"}, {"code": CODE + "# newer\n", "min_warm": 4}):
        assert api.put(f"/functions/{greedy[0]['id']}", json=change).status_code == 200
    ((field, message),) = errors_of(api.put(f"/functions/{greedy[0]['id']}", json={"min_warm": 5}))
    assert field == "min_warm"
    assert "10 sandboxes ready, 5 of them for this function; the limit is 4" in message
    body = {"name": "one-more", "language": "python", "code": CODE, "min_warm": 1} | small
    assert [field for field, _ in errors_of(api.post("/functions", json=body))] == ["min_warm"]
    copy = {"name": "a-copy", "from": greedy[0]["name"]}
    assert [field for field, _ in errors_of(api.post("/functions", json=copy))] == ["min_warm"]

    for function, count in ((greedy[0], 1), (greedy[1], 3)):
        assert api.put(f"/functions/{function['id']}", json={"min_warm": count}).status_code == 200
    wait_until_kept(api, 4)
    assert pool(api)["min_warm"]["problems"] == []


# Room


def test_the_memory_budget_is_never_exceeded_and_all_are_served(api, deploy, reload, stack):
    functions = [deploy(CODE, memory_limit_mb=200 + 50 * (n % 2), timeout_ms=10000) for n in range(5)]
    reload("pool.memory_budget_mb=800")

    def limits_mb():
        """Of all containers there are, those included that are being removed."""
        return sum(c["HostConfig"]["Memory"] >> 20 for c in stack.inspect_all())

    wait_for("what is too much to go", lambda: limits_mb() <= 800)
    calls = [in_background(lambda f=f: api.execute(f, 0.3)) for f in functions for _ in range(2)]
    for _ in range(20):
        assert limits_mb() <= 800
    assert [call().status for call in calls] == [200] * len(calls)


def test_what_cannot_fit_is_refused_or_told_at_once(api, deploy, reload):
    function = deploy(CODE, memory_limit_mb=600)
    reload("pool.memory_budget_mb=512")
    started = time.monotonic()
    problem = check_problem(api.execute(function), 503, "runtime_unavailable")
    assert time.monotonic() - started < 2
    assert "pool.memory_budget_mb" in problem["detail"]
    assert api.get("/limits").json()["function"]["memory_limit_mb"]["max"] == 512
    for fields, field in (({"memory_limit_mb": 513}, "memory_limit_mb"), ({"min_warm": 5}, "min_warm")):
        body = {"name": "too-large", "language": "python", "code": CODE} | fields
        problem = check_problem(api.post("/functions", json=body), 422, "invalid_function")
        assert [e["field"] for e in problem["errors"]] == [field]


# How many are needed


def test_a_burst_of_first_calls_is_served_without_an_error_and_without_needless_containers(api, deploy, runtime, stack):
    function = deploy(CODE, runtime=runtime, timeout_ms=30000)
    before = set(stack.containers().values())
    calls = [in_background(lambda: api.execute(function)) for _ in range(50)]
    answers = [call() for call in calls]
    assert [a.status for a in answers] == [200] * 50, [a for a in answers if a.status != 200]
    started = set(stack.containers().values()) - before
    assert len(started) <= 12  # it is fast: a few serve them all, and spares are made good


def test_spares_grow_with_a_burst(api, deploy, reload):
    def spares():
        (shape,) = [s for s in pool(api)["shapes"] if s["shape"].startswith(f"docker/{default_label('python')}/222MB/")]
        return shape["spare"]

    reload("pool.spare_idle_percent=0")  # whatever else this machine does
    functions = [deploy(CODE, memory_limit_mb=222, timeout_ms=10000) for _ in range(2)]
    wait_for("the spares of the shape", lambda: spares() >= 2)
    starts_at_once(api, functions[0], 6, 8)  # long enough to be under way at the same time, however long the starts take
    wait_for("more spares than pool.min_spares", lambda: spares() >= 4)
    assert starts_at_once(api, functions[1], 5).count("cold") == 0


@pytest.mark.parametrize("limit", [1, 3])
def test_never_more_sandboxes_than_a_function_may_have(api, deploy, load, limit):
    function = deploy(CODE, max_concurrency=limit, timeout_ms=10000)
    clients = load(lambda: api.execute(function, 0.05), threads=12)
    clients.wait_for_more(60)
    clients.stop()
    assert clients.failed() == []
    assert len({a.output for a in clients.answers}) == limit


def test_retry_after_follows_how_long_an_invocation_takes(api, deploy, reload):
    function = deploy(CODE, max_concurrency=1, timeout_ms=20000)
    api.output(function, 4)
    reload("pool.queue_timeout_ms=300")
    running = in_background(lambda: api.execute(function, 4))
    wait_for("it to run", lambda: api.leased() == 1)
    denied = api.execute(function)
    problem = check_problem(denied, 429, "throttled")
    assert problem["reason"] == "function_concurrency"
    assert 4 <= int(denied.headers["Retry-After"]) <= 12
    assert running().status == 200
