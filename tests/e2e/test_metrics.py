"""What invocations add up to, as GET /metrics/functions/{id}, /metrics/runtimes and /metrics/system tell it."""

import datetime
import math
import pathlib
import time

import pytest
from support import check_problem, in_background, wait_for

FUNCTION = """
import time
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    time.sleep(event.get("sleep", 0))
    return sum(i * i for i in range(event.get("work", 0)))
"""
DIFFERENCES = pathlib.Path(__file__).parents[1] / "support/rollup_differences.sql"
KINDS = ("cold", "prewarmed", "warm")


@pytest.fixture
def figures(api):
    """What /metrics/functions tells of a function, once it knows of so many requests."""

    def read(function, requests=None, **params):
        def told():
            answer = api.get(f"/metrics/functions/{function['id']}", params=params)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            return found if requests is None or found["summary"]["requests"] == requests else None

        return wait_for(f"{requests} requests in the figures", told)

    return read


def call(api, function, **event):
    return api.execute(function, event)


def seconds(time_text):
    return datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


def quantile(values, share):
    """The nearest rank."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def test_figures_are_what_the_answers_said(api, database, deploy, figures):
    function = deploy(FUNCTION)
    answers = [call(api, function, sleep=i / 500, fail=i % 6 == 5, work=1000) for i in range(30)]
    told = figures(function, 30)["summary"]
    assert told["errors"] == 5
    assert told["errors_by_code"] == {"function_error": 5}
    assert told["error_rate"] == pytest.approx(5 / 30, abs=1e-6)
    starts = [answer.headers["Berth-Start"] for answer in answers]
    assert told["starts"] == {kind: starts.count(kind) for kind in KINDS}
    assert told["response_bytes"] == sum(len(answer.content) for answer in answers)

    rows = database.rows("select * from metrics where function_id = :'id'", id=function["id"])
    for name, column in (("response_ms", "response_time_ms"), ("queue_ms", "queue_ms"), ("exec_ms", "exec_ms")):
        values = [row[column] for row in rows]
        for key, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
            assert told[name][key] == pytest.approx(quantile(values, share), rel=0.0201, abs=0.003), (name, key)
        assert told[name]["max"] == pytest.approx(max(values), abs=0.001)
        assert told[name]["mean"] == pytest.approx(sum(values) / len(values), abs=0.002)
    assert told["cpu_ms"]["total"] == pytest.approx(sum(row["cpu_ms"] for row in rows), abs=0.01)
    assert told["cpu_ms"]["max"] == pytest.approx(max(row["cpu_ms"] for row in rows), abs=0.001)
    assert told["memory_bytes"]["max"] == max(row["memory_peak_bytes"] for row in rows) > 1 << 20


@pytest.mark.alone
def test_an_invocation_counts_within_a_second(api, deploy, figures, reload):
    reload("collector.interval_ms=")
    function = deploy(FUNCTION)
    call(api, function)
    figures(function, 1)
    waits = []
    for i in range(5):
        call(api, function)
        answered = time.monotonic()
        figures(function, 2 + i)
        waits.append(time.monotonic() - answered)
    assert sorted(waits)[2] < 1


def test_every_step_of_a_period_is_told_and_those_without_requests_are_zeros(api, deploy, figures):
    function = deploy(FUNCTION)
    call(api, function)
    figures(function, 1)
    told = figures(function, 1, **{"from": "2026-01-01T00:00:00Z", "to": int(time.time())})
    assert 1 <= len(told["points"]) <= 302
    told = figures(function, 1, step=300, **{"from": int(time.time()) - 7200})
    starts = [seconds(point["at"]) for point in told["points"]]
    assert told["step_s"] == 300
    assert starts == list(range(int(seconds(told["from"])), int(seconds(told["to"])), 300))
    assert len(starts) in (24, 25)
    assert sum(point["requests"] for point in told["points"]) == 1
    empty = told["points"][0]
    assert empty["requests"] == empty["errors"] == empty["error_rate"] == empty["concurrency"] == 0
    assert set(empty["response_ms"].values()) == {0}
    assert empty["starts"] == dict.fromkeys(KINDS, 0)
    assert empty["errors_by_code"] == {}
    assert empty.keys() - {"at"} == told["summary"].keys()


def test_minutes_hours_and_days_agree(api, deploy, figures):
    function = deploy(FUNCTION)
    for i in range(7):
        call(api, function, fail=i > 4)
    summaries = [figures(function, 7, step=step)["summary"] for step in (60, 3600, 86400)]
    for told in summaries:
        told.pop("concurrency")  # is by the time the period lasts
    assert summaries[0] == summaries[1] == summaries[2]
    assert summaries[0]["errors"] == 2


def test_concurrency_is_what_was_under_way_at_a_time(api, deploy, figures):
    function = deploy(FUNCTION)
    for _ in range(4):
        call(api, function, sleep=0.3)
    told = figures(function, 4, step=60)["summary"]
    length_s = 61 * 60
    assert told["concurrency"] == pytest.approx(told["response_ms"]["mean"] * 4 / 1000 / length_s, abs=0.001)


def test_one_version_and_one_runtime_can_be_told_alone(api, deploy, figures):
    function = deploy(FUNCTION, runtime="docker")
    call(api, function)
    changed = api.put(f"/functions/{function['id']}", json={"code": FUNCTION + "\n", "runtime": "gvisor"})
    assert changed.status_code == 200, changed.text
    for _ in range(2):
        call(api, function)
    figures(function, 3)
    assert figures(function, 1, version=1)["summary"]["starts"]["warm"] <= 1
    figures(function, 2, version=2)
    figures(function, 1, runtime="docker")
    figures(function, 2, runtime="gvisor")
    figures(function, 0, runtime="docker", version=2)


def test_runtimes_stand_side_by_side(api, deploy, figures):
    function = deploy(FUNCTION, runtime="docker")
    call(api, function, work=100)
    api.put(f"/functions/{function['id']}", json={"code": FUNCTION + "\n", "runtime": "gvisor"})
    for _ in range(2):
        call(api, function, work=100)
    figures(function, 3)
    told = api.get("/metrics/runtimes", params={"function": function["name"]}).json()
    assert told["function_id"] == function["id"]
    assert {name: row["requests"] for name, row in told["runtimes"].items()} == {"docker": 1, "gvisor": 2}
    for row in told["runtimes"].values():
        assert row["exec_ms"]["p50"] > 0
        assert row["cpu_ms"]["mean"] > 0
        assert row["memory_bytes"]["max"] > 1 << 20
    everything = api.get("/metrics/runtimes").json()["runtimes"]
    assert everything["docker"]["requests"] >= 1
    assert everything["gvisor"]["requests"] >= 2


def test_refused_requests_count_too(api, deploy, figures, reload):
    function = deploy(FUNCTION, max_concurrency=1, timeout_ms=5000)
    reload("pool.queue_timeout_ms=100")
    slow = in_background(lambda: call(api, function, sleep=1.5))
    wait_for("it to run", lambda: api.leased())
    check_problem(call(api, function), 429, "throttled")
    assert slow().status == 200
    told = figures(function, 2)["summary"]
    assert told["errors_by_code"] == {"throttled": 1}
    assert sum(told["starts"].values()) == 1


def test_a_deleted_function_is_still_told_by_its_id(api, deploy, figures):
    function = deploy(FUNCTION)
    call(api, function)
    figures(function, 1)
    assert api.delete(f"/functions/{function['id']}").status_code == 204
    assert figures(function, 1)["function_id"] == function["id"]
    check_problem(api.get(f"/metrics/functions/{function['name']}"), 404, "not_found")


def test_the_history_of_the_system_tells_all_functions_and_the_machines(api, deploy, figures):
    function = deploy(FUNCTION)
    before = api.get("/metrics/system", params={"step": 60}).json()["summary"]["requests"]
    for _ in range(3):
        call(api, function)
    figures(function, 3)
    told = api.get("/metrics/system", params={"step": 60}).json()
    assert told["summary"]["requests"] >= before + 3

    def sampled():
        points = api.get("/metrics/system", params={"step": 60}).json()["points"]
        return [point["machines"] for point in points if point["machines"]["cpu_count"] > 0]

    machine = wait_for("a sample of the machine", sampled, 130)[-1]
    assert 0 < machine["cpu_cores"] <= machine["cpu_count"]
    assert 0 < machine["memory_bytes"] < machine["memory_total_bytes"]
    assert 0 < machine["disk_bytes"] < machine["disk_total_bytes"]
    assert machine["sandboxes_spare"] + machine["sandboxes_idle"] + machine["sandboxes_busy"] > 0
    assert machine["waiting"] >= 0


def test_what_is_kept_is_what_the_single_invocations_add_up_to(database, api, deploy, figures):
    function = deploy(FUNCTION)
    for i in range(5):
        call(api, function, fail=i % 2)
    figures(function, 5)
    database.run(DIFFERENCES.read_text())

    def same():
        return database.value("select rollup_differences()") == 0

    wait_for("rollups and rows to agree", same, 30)


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/metrics/functions/nobody", {}, 404),
        ("/metrics/functions/00000000-0000-0000-0000-000000000000", {}, 404),
        ("/metrics/runtimes", {"function": "nobody"}, 404),
        ("/metrics/system", {"from": "tomorrow"}, 400),
        ("/metrics/system", {"runtime": "chroot"}, 400),
        ("/metrics/system", {"step": 61}, 400),
        ("/metrics/system", {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 400),
        ("/metrics/runtimes", {"version": 0}, 400),
        ("/metrics/runtimes", {"page": 1}, 400),
    ],
)
def test_what_cannot_be_told_is_refused_with_a_reason(api, path, params, status):
    check_problem(api.get(path, params=params), status, "not_found" if status == 404 else "invalid_request")
