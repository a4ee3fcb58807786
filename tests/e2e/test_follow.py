"""GET /functions/{id}/logs: what a function prints, as it comes, without holding anybody up."""

import threading
import time

import pytest
import requests
from support import check_problem, in_background, wait_for

TALKER = """
import time
def handler(event, context):
    print(event.get("say", "nothing to say"))
    time.sleep(event.get("sleep", 0))
"""


@pytest.fixture
def talker(deploy):
    return deploy(TALKER)


def follow(api, function, **params):
    answer = api.get(f"/functions/{function['id']}/logs", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def texts(page):
    return [line["text"] for item in page["items"] for line in item["lines"] if line["level"] == "info"]


def start_from_now(api, function):
    page = follow(api, function)
    while page["items"]:
        page = follow(api, function, after=page["next"], wait_s=0)
    return page["next"]


def test_what_was_printed_last_is_told_at_once_oldest_first(api, database, talker):
    answers = [api.execute(talker, {"say": f"line {i}"}) for i in range(5)]
    for answer in answers:
        database.metric(answer.headers["Berth-Invocation-Id"])
    began = time.monotonic()
    wait_for("all to be told", lambda: texts(follow(api, talker)) == [f"line {i}" for i in range(5)])
    page = follow(api, talker, limit=2)
    assert time.monotonic() - began < 5
    assert texts(page) == ["line 3", "line 4"]
    assert [item["invocation_id"] for item in page["items"]] == [a.headers["Berth-Invocation-Id"] for a in answers[3:]]
    assert follow(api, talker, after=page["next"], wait_s=0)["items"] == []


def test_who_waits_is_told_soon_after_something_was_printed(api, talker):
    place = start_from_now(api, talker)
    waiting = in_background(lambda: api.get(f"/functions/{talker['name']}/logs", params={"after": place}))
    time.sleep(0.7)
    api.execute(talker, {"say": "now"})
    printed = time.monotonic()
    answer = waiting()
    assert answer.status == 200
    assert "now" in answer.text
    assert answer.ended - printed < 3


def test_nothing_new_is_said_after_the_time_asked_for(api, talker):
    place = start_from_now(api, talker)
    began = time.monotonic()
    page = follow(api, talker, after=place, wait_s=1)
    assert 0.9 < time.monotonic() - began < 5
    assert page["items"] == []
    assert follow(api, talker, after=page["next"], wait_s=0)["items"] == []


def test_every_line_is_told_once_however_long_its_invocation_took(api, deploy):
    talker = deploy(TALKER, max_concurrency=8, timeout_ms=20000)
    place, told = start_from_now(api, talker), []
    slow = in_background(lambda: api.execute(talker, {"say": "slow", "sleep": 6}))
    done = threading.Event()

    def call():
        for i in range(40):
            assert api.execute(talker, {"say": str(i)}).status_code == 200
        done.set()

    caller = threading.Thread(target=call)
    caller.start()
    deadline = time.monotonic() + 50
    while len(told) < 41 and time.monotonic() < deadline:
        page = follow(api, talker, after=place, wait_s=2, limit=7)
        assert len(page["items"]) <= 7
        told += texts(page)
        place = page["next"]
    caller.join()
    assert done.is_set() and slow().status == 200
    assert sorted(told) == sorted([*map(str, range(40)), "slow"])
    assert told.index("slow") > 0


def test_many_who_wait_hold_nobody_up(api, database, talker, stack):
    place = start_from_now(api, talker)
    waiting = [in_background(lambda: api.get(f"/functions/{talker['id']}/logs", params={"after": place, "wait_s": 10})) for _ in range(40)]
    wait_for("them to wait", lambda: api.get("/metrics/system").json()["processes"]["follow"]["busy"] == 1)
    for _ in range(20):
        began = time.monotonic()
        assert api.get("/functions?limit=1").status_code == 200
        assert time.monotonic() - began < 2
    api.execute(talker, {"say": "to all"})
    answers = [one() for one in waiting]
    assert {answer.status for answer in answers} == {200}
    assert all("to all" in answer.text for answer in answers)


def test_who_leaves_is_forgotten(api, talker):
    place = start_from_now(api, talker)
    with pytest.raises(requests.Timeout):
        api.get(f"/functions/{talker['id']}/logs", params={"after": place, "wait_s": 60}, timeout=1)
    wait_for("nobody to wait", lambda: api.get("/metrics/system").json()["processes"]["follow"]["idle"] == 1, 5)


def test_beyond_the_most_that_may_wait_one_is_told_to_come_back(api, talker, reload, stack):
    place = start_from_now(api, talker)
    before = {p.pid for p in stack.children("follow")}
    reload("follow.max_waiting=1")
    wait_for("another follower", lambda: len(now := stack.children("follow")) == 1 and now[0].pid not in before)
    first = in_background(lambda: api.get(f"/functions/{talker['id']}/logs", params={"after": place, "wait_s": 3}))
    wait_for("it to wait", lambda: api.get("/metrics/system").json()["processes"]["follow"]["busy"] == 1)
    check_problem(api.get(f"/functions/{talker['id']}/logs", params={"after": place, "wait_s": 3}), 503, "overloaded")
    assert first().status == 200


def test_a_follower_that_is_replaced_sends_everybody_on(api, talker, reload):
    place = start_from_now(api, talker)
    waiting = in_background(lambda: api.get(f"/functions/{talker['id']}/logs", params={"after": place, "wait_s": 60}))
    wait_for("it to wait", lambda: api.get("/metrics/system").json()["processes"]["follow"]["busy"] == 1)
    reload("log.level=debug")
    answer = waiting()
    assert answer.status == 200
    assert answer.ended - answer.started < 30
    api.execute(talker, {"say": "afterwards"})
    # One that was on its way to the old one may come back with nothing once more.
    wait_for("it to be told", lambda: texts(follow(api, talker, after=place, wait_s=5)) == ["afterwards"], 20)


def test_a_page_does_not_grow_without_bound(api, database, deploy):
    function = deploy("def handler(event, context):\n    print('\\n' * 200000 + event)\n")
    for text in ("one", "two", "three"):
        database.metric(api.execute(function, text).headers["Berth-Invocation-Id"])
    pages, page = [], follow(api, function, limit=3)
    while page["items"]:
        rests = [read_from(api, item["invocation_id"], item["next"]) for item in page["items"]]
        pages.append([lines[-1]["text"] for lines in rests])
        page = follow(api, function, after=page["next"], wait_s=0)
    assert pages == [["one"], ["two"], ["three"]]


def read_from(api, invocation_id, cursor):
    lines = []
    while cursor:
        page = api.get(f"/invocations/{invocation_id}/logs", params={"cursor": cursor}).json()
        lines, cursor = lines + page["lines"], page["next"]
    return lines


@pytest.mark.parametrize("params", [{"after": "x"}, {"after": "1."}, {"after": "1.2.3"}, {"wait_s": 61}, {"limit": 0}, {"level": "warn"}, {"page": 1}])
def test_what_makes_no_sense_is_refused(api, talker, params):
    check_problem(api.get(f"/functions/{talker['id']}/logs", params=params), 400, "invalid_request")


def test_lines_below_the_level_asked_for_are_left_out(api, database, talker):
    database.metric(api.execute(talker, {"say": "out"}).headers["Berth-Invocation-Id"])
    (item,) = follow(api, talker, limit=1)["items"]
    assert item["lines"]
    (item,) = follow(api, talker, limit=1, level="error")["items"]
    assert item["lines"] == []


def test_a_function_that_is_not_there_is_not_found(api):
    check_problem(api.get("/functions/nobody/logs"), 404, "not_found")
    check_problem(api.post("/functions/nobody/logs", json={}), 405, "method_not_allowed")
