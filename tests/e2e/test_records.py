"""Every invocation becomes one row in metrics, and what it printed one in invocation_logs, attributed to it alone."""

import collections
import time

import pytest
from support import check_problem, in_background, wait_for

TALKER = {
    "python": """
import os, subprocess, sys, threading, time

def handler(event, context):
    if event.get("print") is not None:
        print(event["print"])
    if event.get("stderr") is not None:
        print(event["stderr"], file=sys.stderr)
    if event.get("unflushed"):
        sys.stdout.write(event["unflushed"])
    if event.get("child"):
        subprocess.run(["/bin/sh", "-c", f"echo {event['child']}; echo {event['child']}-error >&2"], check=True)
    if event.get("later"):
        threading.Timer(0.3, lambda: print(event["later"], flush=True)).start()
    if event.get("raise"):
        raise ValueError(event["raise"])
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("exit"):
        os._exit(1)
    return event.get("return")
""",
    "javascript": """
const { execSync } = require('node:child_process');

exports.handler = async (event) => {
    if (event.print !== undefined) console.log(event.print);
    if (event.stderr !== undefined) console.error(event.stderr);
    if (event.unflushed) process.stdout.write(event.unflushed);
    if (event.child) execSync(`echo ${event.child}; echo ${event.child}-error >&2`, { stdio: 'inherit' });
    if (event.later) setTimeout(() => console.log(event.later), 300);
    if (event.raise) { const e = new Error(event.raise); e.name = 'ValueError'; throw e; }
    if (event.sleep) await new Promise((done) => setTimeout(done, event.sleep * 1000));
    if (event.exit) process.exit(1);
    return event.return;
};
""",
}


@pytest.fixture(scope="module", params=["python", "javascript"])
def talker(deploy_once, request):
    return deploy_once(TALKER[request.param], language=request.param, timeout_ms=1000)


def timing(answer, phase):
    parts = dict(part.split(";dur=") for part in answer.headers["Server-Timing"].split(", "))
    return float(parts[phase])


def test_a_success_is_recorded_with_what_the_client_was_told(api, database, talker):
    body = '{"input": {"sleep": 0.1, "return": "done"}}'
    wall = time.time()
    headers = {"Content-Type": "application/json", "X-Request-Id": "recorded-1"}
    answer = api.raw("POST", f"/execute/{talker['id']}", body, headers)
    took_ms = answer.elapsed.total_seconds() * 1000
    row = database.metric(answer.headers["Berth-Invocation-Id"])
    age_s = database.value(
        "select abs(extract(epoch from request_timestamp) - :'wall'::numeric) from metrics where metric_id = :'id'",
        wall=wall, id=row["metric_id"],
    )  # fmt: skip
    assert age_s < 2
    assert row.items() >= {
        "function_id": talker["id"],
        "version": 1,
        "request_id": "recorded-1",
        "start_kind": answer.headers["Berth-Start"],
        "runtime": "docker",
        "status": 200,
        "error_flag": False,
        "error_code": None,
        "error_message": None,
        "request_bytes": len(body),
        "response_bytes": len(answer.content),
    }.items()
    for phase in ("queue", "init", "exec"):
        assert row[f"{phase}_ms"] == pytest.approx(timing(answer, phase), abs=0.002)
    assert 99 <= row["exec_ms"] <= row["response_time_ms"] <= took_ms + 1
    assert row["queue_ms"] + row["init_ms"] + row["exec_ms"] <= row["response_time_ms"] + 0.01


@pytest.mark.parametrize(
    "event, status, code, message",
    [
        ({"raise": "recorded"}, 502, "function_error", "ValueError: recorded"),
        ({"exit": True}, 502, "sandbox_exited", "exited with code 1"),
        ({"sleep": 30}, 504, "function_timeout", "1000 ms"),
    ],
    ids=["raise", "exit", "timeout"],
)
def test_a_failure_is_recorded_with_its_code_and_message(api, database, talker, event, status, code, message):
    answer = api.execute(talker, event)
    check_problem(answer, status, code)
    row = database.metric(answer.headers["Berth-Invocation-Id"])
    assert (row["status"], row["error_flag"], row["error_code"]) == (status, True, code)
    assert message in row["error_message"]
    assert row["error_message"] == answer.json()["detail"]


def test_an_init_error_is_recorded(api, database, deploy):
    function = deploy("print('loading')\nraise RuntimeError('at load')\ndef handler(e, c):\n    pass\n")
    answer = api.execute(function)
    check_problem(answer, 502, "init_error")
    row = database.metric(answer.headers["Berth-Invocation-Id"])
    assert (row["error_code"], row["exec_ms"]) == ("init_error", 0)
    assert row["init_ms"] > 0
    text = database.log(row["metric_id"])["text"]
    assert text.startswith("loading\n") and "RuntimeError: at load" in text


def test_a_denied_invocation_is_recorded_without_a_start(api, database, deploy, reload):
    function = deploy("import time\ndef handler(e, c):\n    time.sleep(e)\n", max_concurrency=1, timeout_ms=15000)
    api.output(function, 0)
    reload("pool.queue_timeout_ms=500")
    api.wait_for_rest()
    running = in_background(lambda: api.execute(function, 2))
    wait_for("it to run", lambda: api.leased())
    denied = api.execute(function, 0)
    problem = check_problem(denied, 429, "throttled")
    assert problem["reason"] == "function_concurrency"
    assert running().status == 200
    row = database.metric(denied.headers["Berth-Invocation-Id"])
    assert (row["status"], row["error_code"], row["start_kind"], row["exec_ms"]) == (429, "throttled", None, 0)
    assert 500 <= row["queue_ms"] < 2000


def test_requests_that_are_no_invocation_are_not_recorded(api, database, talker):
    before = len(database.stored(talker["id"]))
    api.raw("POST", f"/execute/{talker['id']}", "{", {"Content-Type": "application/json"})
    api.execute("nobody")
    answer = api.execute(talker, {})
    database.metric(answer.headers["Berth-Invocation-Id"])
    assert len(database.stored(talker["id"])) == before + 1


def test_the_version_that_ran_is_recorded(api, database, deploy):
    function = deploy("def handler(e, c):\n    return 1\n")
    api.put(f"/functions/{function['id']}", json={"timeout_ms": 1000})
    for version in ("", "?version=1"):
        answer = api.post(f"/execute/{function['id']}{version}", json={})
        row = database.metric(answer.headers["Berth-Invocation-Id"])
        assert row["version"] == (1 if version else 2)


# Logs


def log_of(api, database, function, event):
    answer = api.execute(function, event)
    database.metric(answer.headers["Berth-Invocation-Id"])
    log = database.log(answer.headers["Berth-Invocation-Id"])
    if log:
        assert log["function_id"] == function["id"]
    return log


def test_what_a_function_prints_is_its_log(api, database, talker):
    log = log_of(api, database, talker, {"print": "out: ü", "stderr": "err", "unflushed": "no newline"})
    assert sorted(log["text"].splitlines()) == ["err", "no newline", "out: ü"]
    assert log["log_bytes"] == len("out: ü\nerr\nno newline".encode())
    assert log["late"] == ""


def test_what_its_children_print_is_in_the_log(api, database, talker):
    log = log_of(api, database, talker, {"child": "from-a-child"})
    assert sorted(log["text"].split()) == ["from-a-child", "from-a-child-error"]


def test_a_function_that_prints_nothing_has_no_log(api, database, talker):
    assert log_of(api, database, talker, {}) is None


@pytest.mark.parametrize("event", [{"raise": "x"}, {"exit": True}, {"sleep": 30}], ids=["raise", "exit", "timeout"])
def test_what_was_printed_before_a_failure_is_in_the_log(api, database, talker, event):
    log = log_of(api, database, talker, {"print": "last words"} | event)
    assert log["text"].startswith("last words\n")


def test_each_log_belongs_to_the_invocation_that_printed_it(api, database, talker, load):
    numbers = iter(range(10**6))

    def invoke():
        n = next(numbers)
        return api.execute(talker, {"print": f"line {n}", "return": n})

    clients = load(invoke, threads=4)
    clients.wait_for_more(80)
    clients.stop()
    assert clients.failed() == []
    answered = {a.invocation_id for a in clients.answers}
    wait_for("all to be stored", lambda: database.stored(talker["id"]).keys() >= answered)
    logs = database.rows(
        "select metric_id, convert_from(log, 'UTF8') as text from invocation_logs where function_id = :'id'",
        id=talker["id"],
    )
    texts = collections.defaultdict(list)
    for row in logs:
        texts[row["metric_id"]].append(row["text"])
    for answer in clients.answers:
        assert texts[answer.invocation_id] == [f"line {answer.output}\n"]


def test_what_comes_after_the_answer_is_not_the_next_invocations(api, database, deploy):
    function = deploy(TALKER["python"])

    first = api.execute(function, {"later": "too late", "print": "in time"}).headers["Berth-Invocation-Id"]
    wait_for("what came late to be stored", lambda: (database.log(first) or {}).get("late") == "too late\n")
    assert database.log(first)["text"] == "in time\n"
    log = log_of(api, database, function, {"print": "mine"})
    assert (log["text"], log["log_bytes"]) == ("mine\n", len("mine\n"))


def test_a_log_that_is_not_text_is_kept_as_it_is(api, database, deploy):
    function = deploy("import os\ndef handler(e, c):\n    os.write(1, bytes(range(256)))\n")
    answer = api.execute(function)
    database.metric(answer.headers["Berth-Invocation-Id"])
    assert database.value(
        "select encode(log, 'hex') from invocation_logs where metric_id = :'id'", id=answer.headers["Berth-Invocation-Id"]
    ) == bytes(range(256)).hex()


def test_under_load_every_invocation_is_recorded_once(api, database, deploy, load):
    function = deploy("def handler(e, c):\n    if e % 10 == 3:\n        raise ValueError(e)\n    return e\n")
    numbers = iter(range(10**6))
    clients = load(lambda: api.execute(function, next(numbers)), threads=6)
    clients.wait_for_more(300)
    clients.stop()
    answered = {a.invocation_id: a for a in clients.answers}
    assert None not in answered
    assert len(answered) == len(clients.answers)
    wait_for("all to be stored", lambda: database.stored(function["id"]).keys() >= answered.keys())
    stored = database.stored(function["id"])
    assert {one: len(rows) for one, rows in stored.items() if len(rows) != 1} == {}
    assert stored.keys() == answered.keys()
    for one, answer in answered.items():
        assert (stored[one][0]["status"], stored[one][0]["error_code"]) == (answer.status, answer.code)


def test_a_deleted_functions_records_stay(api, database, deploy):
    function = deploy("def handler(e, c):\n    print('kept')\n")
    answer = api.execute(function)
    api.delete(f"/functions/{function['id']}")
    row = database.metric(answer.headers["Berth-Invocation-Id"])
    assert row["status"] == 200
    assert database.log(row["metric_id"])["text"] == "kept\n"
    assert database.value("select name from functions where function_id = :'id'", id=function["id"]) == function["name"]
