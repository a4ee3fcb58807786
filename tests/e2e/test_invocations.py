"""Single invocations over the API: found by what they were, read one by one, and what they printed."""

import datetime
import json
import time
import uuid

import pytest
from support import check_problem, wait_for

CODE = """
import sys, time
def handler(event, context):
    for text in event.get("print", []):
        print(text, flush=True)
        time.sleep(event.get("pause", 0))
    if event.get("bytes"):
        sys.stdout.buffer.write(bytes(event["bytes"]))
        sys.stdout.flush()
    if event.get("fail"):
        raise ValueError(event["fail"])
    time.sleep(event.get("sleep", 0))
    return "done"
"""


@pytest.fixture
def invoke(api, database):
    """Runs it, and waits until it can be read."""

    def run(function, **event):
        answer = api.execute(function, event)
        database.metric(answer.headers["Berth-Invocation-Id"])
        return answer

    return run


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# One


def test_an_invocation_tells_what_its_record_says(api, database, deploy, invoke):
    function = deploy(CODE)
    answer = invoke(function, sleep=0.05)
    invocation_id = answer.headers["Berth-Invocation-Id"]
    told = api.get(f"/invocations/{invocation_id}").json()
    row = database.metric(invocation_id)
    assert told["id"] == invocation_id
    for name in ("function_id", "version", "runtime", "start_kind", "request_id", "status", "request_bytes", "response_bytes",
                 "cpu_ms", "memory_peak_bytes", "queue_ms", "init_ms", "exec_ms", "overhead_ms", "node", "caller"):  # fmt: skip
        assert told[name] == row[name], name
    assert told["response_ms"] == row["response_time_ms"] >= 50
    assert told["alias"] == "latest"
    assert told["error"] is None
    assert told["log_bytes"] == 0
    assert told["trace_id"] == answer.headers["traceparent"].split("-")[1]
    assert told["node"] and told["caller"] == "127.0.0.1"
    assert abs(at(told["requested_at"]) - time.time()) < 60
    parts = sum(told[f"{part}_ms"] for part in ("queue", "init", "exec", "overhead"))
    assert parts == pytest.approx(told["response_ms"], abs=0.01)


def test_an_invocation_is_found_by_the_id_of_its_request(api, database, deploy):
    one, other, mine = deploy(CODE), deploy(CODE), uuid.uuid4().hex
    answers = [api.execute(function, {}, headers={"X-Request-Id": mine}) for function in (one, other)]
    api.execute(one, {})
    made = [answer.headers["Berth-Invocation-Id"] for answer in answers]
    for invocation_id in made:
        database.metric(invocation_id)
    found = api.get("/invocations", params={"request_id": mine})
    assert ids(found) == made[::-1]
    assert ids(api.get(f"/functions/{one['id']}/invocations", params={"request_id": mine})) == made[:1]
    first = api.get("/invocations", params={"request_id": mine, "limit": 1}).json()
    assert ids(api.get("/invocations", params={"request_id": mine, "cursor": first["next"]})) == made[:1]
    before = found.json()["items"][1]["requested_at"]
    assert ids(api.get("/invocations", params={"request_id": mine, "to": before})) == []
    check_problem(api.get("/invocations"), 400, "invalid_request")
    check_problem(api.post("/invocations"), 405, "method_not_allowed")


def test_an_invocation_by_version_has_no_alias_and_a_failed_one_its_error(api, database, deploy):
    function = deploy(CODE)
    answer = api.raw("POST", f"/execute/{function['id']}?version=1", '{"input": {"fail": "as asked"}}', {"Content-Type": "application/json"})
    invocation_id = answer.headers["Berth-Invocation-Id"]
    database.metric(invocation_id)
    told = api.get(f"/invocations/{invocation_id}").json()
    assert told["alias"] is None
    assert told["error"] == {"code": "function_error", "message": "ValueError: as asked"}
    assert told["status"] == 502


@pytest.mark.parametrize("path", ["", "/logs"])
@pytest.mark.parametrize("invocation_id", ["nonsense", "00000000-0000-0000-0000-000000000000", "01a21443-f275-71d3-b2a5-856af5c6096d"])
def test_an_invocation_that_is_not_there_is_not_found(api, path, invocation_id):
    check_problem(api.get(f"/invocations/{invocation_id}{path}"), 404, "not_found")


# Many


def test_the_newest_come_first_and_pages_hold_still_while_others_arrive(api, deploy, invoke):
    function = deploy(CODE)
    made = [invoke(function).headers["Berth-Invocation-Id"] for _ in range(7)]
    path = f"/functions/{function['name']}/invocations"
    assert ids(api.get(path)) == made[::-1]
    seen, cursor = [], None
    while True:
        answer = api.get(path, params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        seen += ids(answer)
        invoke(function)
        cursor = answer.json()["next"]
        if cursor is None:
            break
    assert seen == made[::-1]


def test_filters_find_those_they_name(api, deploy, invoke):
    function = deploy(CODE, runtime="docker")
    quick = invoke(function, print=["needle in 100% of_haystacks"]).headers["Berth-Invocation-Id"]
    failed = invoke(function, fail="as asked").headers["Berth-Invocation-Id"]
    slow = invoke(function, sleep=2, print=["Nothing"]).headers["Berth-Invocation-Id"]
    time.sleep(0.01)
    middle = datetime.datetime.now(datetime.timezone.utc).isoformat()
    api.put(f"/functions/{function['id']}", json={"code": CODE + "\n"})
    second = invoke(function).headers["Berth-Invocation-Id"]
    start = api.get(f"/invocations/{second}").json()["start_kind"]
    everything = [second, slow, failed, quick]

    def found(**params):
        return ids(api.get(f"/functions/{function['id']}/invocations", params=params))

    assert found() == everything
    assert found(status="error") == found(status="502") == found(status="5xx") == [failed]
    assert found(status="success") == found(status="200") == found(status="2xx") == [second, slow, quick]
    assert found(error_code="function_error") == [failed]
    assert found(error_code="function_timeout") == []
    assert found(version=1) == [slow, failed, quick]
    assert found(version=2) == [second]
    assert found(runtime="docker") == everything
    assert found(runtime="gvisor") == []
    assert second in found(start_kind=start)
    assert found(slower_than_ms=1900) == [slow]
    assert found(text="NEEDLE in 100% of_hay") == [quick]
    assert found(text="needle%haystacks") == []
    assert found(text="nothing") == [slow]
    assert found(to=middle) == [slow, failed, quick]
    assert found(**{"from": middle}) == [second]
    assert found(status="success", version=1, slower_than_ms=1, text="othin") == [slow]


def test_invocations_of_a_deleted_function_are_found_by_its_id(api, deploy, invoke):
    function = deploy(CODE)
    made = invoke(function).headers["Berth-Invocation-Id"]
    assert api.delete(f"/functions/{function['id']}").status_code == 204
    assert ids(api.get(f"/functions/{function['id']}/invocations")) == [made]
    check_problem(api.get(f"/functions/{function['name']}/invocations"), 404, "not_found")


@pytest.mark.parametrize(
    "params",
    [{"status": "bad"}, {"status": "600"}, {"status": "6xx"}, {"version": "x"}, {"slower_than_ms": -1}, {"from": "today"},
     {"limit": 0}, {"limit": 1000}, {"cursor": "1"}, {"cursor": "1.x"}, {"text": "x" * 300}, {"text": ""}, {"color": "red"},
     {"error_code": "nonsense"}, {"runtime": "podman"}, {"start_kind": "hot"}, {"from": "1770000000", "to": "1770000000"}],
)  # fmt: skip
def test_a_wrong_filter_is_refused(api, deploy, params):
    function = deploy(CODE)
    check_problem(api.get(f"/functions/{function['id']}/invocations", params=params), 400, "invalid_request")


def test_what_looks_like_sql_is_text(api, deploy, invoke):
    function = deploy(CODE)
    hostile = "'; drop table metrics; --"
    made = invoke(function, print=[hostile]).headers["Berth-Invocation-Id"]
    path = f"/functions/{function['id']}/invocations"
    assert ids(api.get(path, params={"text": hostile})) == [made]
    for name in ("error_code", "runtime", "start_kind", "status", "version", "cursor"):
        check_problem(api.get(path, params={name: hostile}), 400, "invalid_request")


def test_a_text_is_found_in_a_log_that_is_no_text(api, deploy, invoke):
    function = deploy(CODE)
    odd = invoke(function, bytes=list(b"caf\xc3\xa9 \x00\xff Needle\n")).headers["Berth-Invocation-Id"]
    path = f"/functions/{function['id']}/invocations"
    assert ids(api.get(path, params={"text": "needle"})) == [odd]
    assert ids(api.get(path, params={"text": "303"})) == []  # e with an accent is not its bytes in octal


def test_a_search_that_takes_too_long_says_what_to_leave_away(api, database, deploy, invoke, in_transaction):
    function = deploy(CODE)
    made = invoke(function, print=["needle"]).headers["Berth-Invocation-Id"]
    path = f"/functions/{function['id']}/invocations"
    with in_transaction("lock table invocation_logs"):
        problem = check_problem(api.get(path, params={"text": "needle"}), 503, "store_unavailable")
    assert "from and to, or omit text" in problem["detail"]
    assert ids(api.get(path, params={"text": "needle"})) == [made]


# What they printed


def log_of(api, answer, **params):
    return api.get(f"/invocations/{answer.headers['Berth-Invocation-Id']}/logs", params=params)


@pytest.mark.parametrize("runtime", ["docker", "gvisor"])
def test_lines_have_the_time_they_came_and_keep_their_order(api, deploy, invoke, runtime):
    function = deploy(CODE, runtime=runtime)
    answer = invoke(function, print=["one", "two", "three"], pause=0.2)
    told = log_of(api, answer).json()
    assert told["invocation_id"] == answer.headers["Berth-Invocation-Id"]
    assert told["function_id"] == function["id"]
    assert told["request_id"] == answer.headers["X-Request-Id"]
    assert [(line["level"], line["text"]) for line in told["lines"]] == [("info", "one"), ("info", "two"), ("info", "three")]
    times = [at(line["at"]) for line in told["lines"]]
    assert times[0] >= at(told["requested_at"])
    assert times == sorted(times)
    assert times[2] - times[0] > 0.2  # 0.4 when the first one was not late
    assert (told["truncated"], told["lost_bytes"], told["log_bytes"]) == (False, 0, len("one\ntwo\nthree\n"))


def test_an_invocation_that_printed_nothing_has_an_empty_log(api, deploy, invoke):
    told = log_of(api, invoke(deploy(CODE))).json()
    assert told["lines"] == []
    assert told["log_bytes"] == 0


def test_a_log_that_was_cut_off_says_how_much_is_lost(api, deploy, invoke):
    function = deploy(CODE, log_bytes=1000)
    answer = invoke(function, print=["x" * 99] * 50)
    told = log_of(api, answer).json()
    assert (told["truncated"], told["log_bytes"], told["kept_bytes"], told["lost_bytes"]) == (True, 5000, 1000, 4000)
    assert told["lines"][-1]["level"] == "platform"
    assert "4000 more bytes" in told["lines"][-1]["text"]
    assert log_of(api, answer, format="text").text.rstrip().endswith("log_bytes is reached: 4000 more bytes were printed and not kept")


def test_the_platform_tells_what_went_wrong_on_its_own_level(api, deploy, database):
    function = deploy(CODE, timeout_ms=300)
    answer = api.execute(function, {"print": ["before"], "sleep": 5})
    check_problem(answer, 504, "function_timeout")
    database.metric(answer.headers["Berth-Invocation-Id"])
    lines = log_of(api, answer).json()["lines"]
    assert (lines[0]["level"], lines[0]["text"]) == ("info", "before")
    assert lines[-1]["level"] == "platform"
    assert lines[-1]["text"].startswith("function_timeout: ")
    assert at(lines[-1]["at"]) - at(lines[0]["at"]) > 0.2


def test_only_lines_of_the_level_asked_for_or_a_higher_one_are_told(api, deploy, database):
    code = "import logging, sys\ndef handler(event, context):\n    print('out')\n    logging.warning('careful')\n    print('error', file=sys.stderr)\n    return {1}\n"
    answer = api.execute(deploy(code))
    check_problem(answer, 502, "invalid_output")
    database.metric(answer.headers["Berth-Invocation-Id"])
    levels = [[line["level"] for line in log_of(api, answer, level=level).json()["lines"]] for level in ("trace", "warning", "error", "platform")]
    assert levels == [["info", "warning", "error", "error", "platform"], ["warning", "error", "error", "platform"], ["error", "error", "platform"], ["platform"]]
    assert log_of(api, answer, level="platform", format="text").text.count("\n") == 1
    check_problem(log_of(api, answer, level="warn"), 400, "invalid_request")


def test_a_long_log_of_a_level_continues_at_that_level(api, deploy, database):
    code = "import sys\ndef handler(event, context):\n    print('\\n' * 20000)\n    print('\\n' * 10000, file=sys.stderr)\n"
    answer = api.execute(deploy(code))
    database.metric(answer.headers["Berth-Invocation-Id"])
    page = log_of(api, answer, level="error").json()
    assert [line["level"] for line in page["lines"]] == ["error"] * 10000
    assert len(log_of(api, answer, level="error", cursor=page["next"]).json()["lines"]) == 1
    text = log_of(api, answer, level="error", format="text")
    assert text.links["next"]["url"].endswith("/logs?format=text&level=error&cursor=10000")
    assert len(api.get(text.links["next"]["url"]).text.splitlines()) == 1


def test_any_bytes_are_kept_and_harm_nobody(api, deploy, invoke):
    function = deploy(CODE)
    hostile = b"\x1b[31mred\x00\xff\xfe\xc2\x9b2J\x07\r\ttab \xe2\x82\xac\n"
    answer = invoke(function, bytes=list(hostile))
    raw = log_of(api, answer)
    (line,) = raw.json()["lines"]
    assert line["text"] == "\x1b[31mred\ufffd\ufffd\ufffd\x9b2J\x07\r\ttab \u20ac"
    assert not any(byte < 0x20 for byte in raw.content)  # all of it is escaped
    text = log_of(api, answer, format="text")
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    (shown,) = text.text.splitlines()
    assert shown.endswith("\\x1b[31mred\ufffd\ufffd\ufffd\\x9b2J\\x07\\x0d\ttab \u20ac")
    check_problem(log_of(api, answer, format="xml"), 400, "invalid_request")


def test_a_log_is_json_whatever_was_printed(api, deploy, invoke):
    answer = invoke(deploy(CODE), bytes=list(range(256)))
    told = json.loads(log_of(api, answer).content)
    assert told["log_bytes"] == 256
    assert len(told["lines"]) == 2
