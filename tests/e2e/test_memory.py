"""What a request or a log may cost the processes that answer: their memory is bounded and given back, and nobody waits for others."""

import re
import time
from pathlib import Path

import pytest
from support import check_problem, in_background, wait_for

MB = 1 << 20
JSON = {"Content-Type": "application/json"}
PAGE_MOST = 6 * MB  # of 2 MB, which a last line of 512 KB that is escaped may go beyond

# Prints a megabyte, over and over what it is sent.
PRINTER = """
import sys
def handler(event, context):
    sys.stdout.write(event * ((1 << 20) // len(event)))
"""


class Memory:
    """Of the processes of one role, from when it is made: what the largest of them has, and the most that one of them has had."""

    def __init__(self, stack, role):
        # A process that is one too many would be ended before it could be asked.
        wait_for("the surplus workers to have ended", lambda: role != "deploy" or len(stack.children(role)) <= 2, 60)
        self.pids = [process.pid for process in stack.children(role)]
        assert self.pids
        self.reset()
        self.before = self.now()

    def reset(self):
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def read(self, name):
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids]
        return max(int(re.search(rf"{name}:\s+(\d+)", text)[1]) * 1024 for text in texts)

    def now(self):
        return self.read("VmRSS")

    def check(self, peak_mb):
        """Nobody needed more than that, and what was needed is given back."""
        assert self.read("VmHWM") - self.before < peak_mb * MB
        wait_for("the memory to be given back", lambda: self.now() - self.before < 8 * MB, 5)


BODIES = {
    "12 MB of empty objects": (b'{"name":[' + b"{}," * 4_000_000 + b"{}]}", 400, 64),
    "3 MB of unknown fields": (b"{" + b",".join(b'"f%d":1' % i for i in range(290_000)) + b"}", 400, 64),
    "an unknown field of 12 MB": (b'{"' + b"x" * 12_000_000 + b'":1}', 422, 160),
    "code of 24 MB as JSON": (b'{"code":"' + b"\\u0001" * 4_000_000 + b'"}', 422, 240),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_costs_a_few_times_its_size_and_only_until_it_is_answered(api, stack, what):
    body, status, peak_mb = BODIES[what]
    memory = Memory(stack, "deploy")
    answer = api.raw("POST", "/functions", body, JSON)
    check_problem(answer, status, "invalid_request" if status == 400 else "invalid_function")
    assert len(answer.content) < 8192
    memory.check(peak_mb)


def test_the_bounds_are_told(api):
    limits = api.get("/limits").json()
    assert limits["body"] == {"values": 8192, "depth": 16}
    assert limits["logs"] == {"page_lines": 10000, "page_bytes": 2 * MB, "line_bytes": MB // 2}


# Logs


@pytest.fixture(scope="module")
def printer(deploy_once):
    return deploy_once(PRINTER, log_bytes=MB, timeout_ms=20000)


@pytest.fixture(scope="module")
def newlines(api, database, printer):
    """The invocation that printed a million lines, all empty."""
    answer = api.execute(printer, "\n")
    assert answer.status_code == 200, answer.text
    database.metric(answer.headers["Berth-Invocation-Id"])
    return answer.headers["Berth-Invocation-Id"]


def test_a_log_of_a_million_lines_is_told_in_pages_that_add_up_to_it(api, stack, newlines):
    memory = Memory(stack, "query")
    lines, cursor, pages = 0, "0", 0
    while cursor:
        answer = api.get(f"/invocations/{newlines}/logs", params={"cursor": cursor})
        assert len(answer.content) < MB
        page = answer.json()
        assert len(page["lines"]) <= 10000 and page["log_bytes"] == MB
        lines, cursor, pages = lines + len(page["lines"]), page["next"], pages + 1
    assert (lines, pages) == (MB, 105)
    memory.check(32)


def test_as_text_a_page_says_where_the_log_goes_on(api, stack, newlines):
    answer = api.get(f"/invocations/{newlines}/logs", params={"format": "text"})
    assert len(answer.content) < MB
    lines = answer.text.splitlines()
    assert len(lines) == 10001
    path = f"/invocations/{newlines}/logs?format=text&cursor=10000"
    assert answer.headers["Link"] == f'<{path}>; rel="next"'
    assert lines[-1].endswith(f" platform the log continues at: {path}")
    last = api.get(f"/invocations/{newlines}/logs", params={"format": "text", "cursor": "1040000"})
    assert len(last.text.splitlines()) == MB - 1040000
    assert "Link" not in last.headers


def test_a_line_that_is_very_long_comes_in_pieces(api, database, stack, printer):
    invocation_id = api.execute(printer, "\x01").headers["Berth-Invocation-Id"]
    database.metric(invocation_id)
    memory = Memory(stack, "query")
    text, cursor = "", "0"
    while cursor:
        answer = api.get(f"/invocations/{invocation_id}/logs", params={"cursor": cursor})
        assert len(answer.content) < PAGE_MOST
        page = answer.json()
        text, cursor = text + "".join(line["text"] for line in page["lines"]), page["next"]
        assert [line.get("continues", False) for line in page["lines"]] == [bool(cursor)]
    assert text == "\x01" * MB
    memory.check(32)


@pytest.mark.parametrize("cursor", ["-1", "x", "1.5", ""])
def test_a_cursor_that_is_none_is_refused(api, newlines, cursor):
    check_problem(api.get(f"/invocations/{newlines}/logs", params={"cursor": cursor}), 400, "invalid_request")


def follow(api, function, **params):
    answer = api.get(f"/functions/{function['id']}/logs", params=params)
    assert answer.status_code == 200 and len(answer.content) < PAGE_MOST
    return answer.json()


def test_who_follows_is_told_of_a_large_log_in_a_page_and_where_the_rest_is(api, database, stack, printer):
    memory = Memory(stack, "follow")
    page, ids = follow(api, printer), []
    while page["items"]:
        page = follow(api, printer, after=page["next"], wait_s=0)
    for text in ("\n", "a line of text\n", "\n"):
        ids.append(api.execute(printer, text).headers["Berth-Invocation-Id"])
        database.metric(ids[-1])
    told = []
    while len(told) < len(ids):
        page = follow(api, printer, after=page["next"], wait_s=10)
        told += [(item["invocation_id"], len(item["lines"]), item["next"]) for item in page["items"]]
    assert told == [(one, 10000, "10000") for one in ids]
    memory.check(48)


def test_nobody_waits_long_for_what_others_are_told(api, database, deploy, newlines, printer):
    """Twenty who follow a log of a million lines, and one who follows something else."""
    quiet = deploy("def handler(event, context):\n    print(event)\n")
    place = follow(api, quiet)["next"]
    asked = [in_background(lambda: api.get(f"/functions/{printer['id']}/logs", params={"limit": 100})) for _ in range(20)]
    started = time.monotonic()
    follow(api, quiet, after=place, wait_s=0)
    took = time.monotonic() - started
    assert {one().status for one in asked} == {200}
    assert took < 4, took  # with answers of 62 MB it was a minute


# Who needs too much


def test_the_workers_of_the_api_and_the_follower_may_have_as_much_as_is_set(stack):
    for role in ("control", "deploy", "query", "health", "follow"):
        for process in stack.children(role):
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            assert re.search(rf"Max address space +{1024 * MB} +{1024 * MB} ", limits), limits


def test_one_that_needs_too_much_ends_alone_and_says_for_whom(api, reload, stack):
    before = {process.pid for process in stack.children("deploy")}
    reload("control.memory_mb=128")
    workers = wait_for(
        "only new ones to be there", lambda: [p for p in [stack.children("deploy")] if p and not before & {q.pid for q in p}]
    )[0]
    mark = stack.log_mark()
    answer = api.raw("POST", "/functions", b'{"code":"' + b"\\u0001" * 4_000_000 + b'"}', JSON | {"X-Request-Id": "too-much"})
    assert answer.status_code == 502
    said = stack.log_since(mark)
    assert re.search(r"level=error proc=deploy/\d+ pid=\d+ req=\"too-much\" msg=\"out of memory: .* which is 128 MB", said), said
    wait_for("one to be gone", lambda: sum(process.is_alive() for process in workers) < len(workers))
    assert api.get("/functions?limit=1").status_code == 200
    wait_for("another one in its place", lambda: stack.children("deploy"), 10)
