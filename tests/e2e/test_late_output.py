"""What a function prints around its invocations: while it is loaded ahead, and after its answer; and how it fails then."""

import datetime
import re

import pytest
from support import in_background, wait_for

LATE = {
    "python": """
import threading

def work(seconds, what):
    def do():
        if what == "fail":
            raise ValueError("boom")
        print("late", flush=True)
    threading.Timer(seconds, do).start()

def handler(event, context):
    print("mine")
    if event:
        work(event["after_s"], event.get("what"))
""",
    "javascript": """
exports.handler = async (event) => {
    console.log('mine');
    if (event) {
        setTimeout(() => {
            if (event.what === 'fail') Promise.reject(new RangeError('boom'));
            else console.log('late');
        }, 1000 * event.after_s);
    }
    return 1;
};
""",
}
LOADS = {
    "python": "import time\nprint('loading')\ndef handler(event, context):\n    print('mine')\n    time.sleep(event or 0)",
    "javascript": """
console.error('loading');
exports.handler = async (event) => {
    console.log('mine');
    await new Promise((resolve) => setTimeout(resolve, 1000 * (event ?? 0)));
};
""",
}


@pytest.fixture(scope="module", params=LATE)
def language(request):
    return request.param


def call(api, function, event=None):
    answer = api.execute(function, event)
    assert answer.status_code == 200, answer.text
    return answer.headers["Berth-Invocation-Id"]


def log_of(api, invocation):
    """[(text, whether it was late)] of what a recorded invocation printed, or None."""
    answer = api.get(f"/invocations/{invocation}/logs")
    if answer.status_code == 404:
        return None
    return [(line["text"], line.get("late", False)) for line in answer.json()["lines"]]


def wait_for_log(api, invocation, *lines):
    wait_for(f"the log to be {lines}", lambda: log_of(api, invocation) == list(lines), 20)


def late_errors(api):
    lines = api.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("berth_late_errors_total{"))


def test_what_is_printed_after_the_answer_is_with_its_invocation(api, deploy, runtime, language):
    """It is read when the sandbox is frozen."""
    function = deploy(LATE[language], language=language, runtime=runtime)
    first = call(api, function, {"after_s": 0.05})
    wait_for_log(api, first, ("mine", False), ("late", True))
    log = api.get(f"/invocations/{first}/logs").json()
    assert (log["log_bytes"], log["late_bytes"], log["kept_bytes"]) == (10, 5, 10)
    assert api.get(f"/invocations/{first}").json()["log_bytes"] == 10
    assert "platform" not in api.get(f"/invocations/{first}/logs?format=text").text
    assert "(late) late\n" in api.get(f"/invocations/{first}/logs?format=text").text
    found = api.get(f"/functions/{function['id']}/invocations?text=late").json()["items"]
    assert [item["id"] for item in found] == [first]


def test_what_was_due_while_it_was_frozen_is_in_one_log_once(api, deploy, runtime, language):
    """It may come before the next invocation or during it."""
    function = deploy(LATE[language], language=language, runtime=runtime)
    first = call(api, function, {"after_s": 2})
    wait_for("it to be recorded", lambda: log_of(api, first))
    wait_for("it to be due", lambda: is_older(api, first, 2.5), 10)
    second = call(api, function)

    def are_kept():
        both = (log_of(api, first), log_of(api, second))
        mine, late, during = ("mine", False), ("late", True), ("late", False)
        return both == ([mine, late], [mine]) or (both[0] == [mine] and sorted(both[1] or []) == [during, mine])

    wait_for("all three lines to be kept", are_kept, 20)


def is_older(api, invocation, seconds):
    """Whether the invocation was requested so long ago, by the database's clock."""
    at = datetime.datetime.fromisoformat(api.get(f"/invocations/{invocation}").json()["requested_at"].replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - at).total_seconds() > seconds


def test_who_follows_the_logs_hears_of_it(api, deploy, language):
    function = deploy(LATE[language], language=language)
    place = api.get(f"/functions/{function['id']}/logs").json()["next"]
    first = call(api, function, {"after_s": 0.05})
    heard = []

    def hear():
        nonlocal place
        answer = api.get(f"/functions/{function['id']}/logs?after={place}&wait_s=2").json()
        place = answer["next"]
        heard.extend((item["invocation_id"], line["text"], line.get("late", False)) for item in answer["items"] for line in item["lines"])
        return len(heard) == 2

    wait_for("both to be heard", hear, 20)
    assert heard == [(first, "mine", False), (first, "late", True)]


def test_an_error_after_the_answer_is_told(api, deploy, runtime, language):
    function = deploy(LATE[language], language=language, runtime=runtime)
    before = late_errors(api)
    first = call(api, function, {"after_s": 0.05, "what": "fail"})
    wait_for("the error to be in its log", lambda: any("boom" in text and late for text, late in log_of(api, first) or []), 20)
    assert late_errors(api) == before + 1
    second = f"/invocations/{call(api, function)}"
    wait_for("the next one to be recorded", lambda: api.get(second).status_code == 200)
    cause = api.get(second).json()["start_cause"]
    if language == "javascript":
        # The end is noticed before or after the launcher has reported how.
        assert re.fullmatch(f"The sandbox before (exited with code 1|ended) after it had answered invocation {first}", cause)
    else:
        assert cause is None  # a thread ends alone


def test_what_is_printed_by_a_sandbox_of_a_single_invocation_is_kept(api, deploy):
    function = deploy("print('loading')\ndef handler(event, context): print('mine')", isolation="per_invocation")
    for _ in range(2):
        wait_for_log(api, call(api, function), ("loading", False), ("mine", False))


def test_what_a_deployment_prints_while_it_loads_the_code_is_in_the_first_log(api, deploy, runtime, language):
    function = deploy(LOADS[language], language=language, runtime=runtime)
    first = call(api, function)
    second = call(api, function)
    wait_for_log(api, first, ("loading", False), ("mine", False))
    wait_for_log(api, second, ("mine", False))


def test_what_is_printed_while_min_warm_loads_the_code_is_in_the_first_log(api, deploy, runtime, language):
    function = deploy(LOADS[language], language=language, runtime=runtime, min_warm=2, timeout_ms=20000)

    def are_kept():
        pool = api.get("/readyz").json()["pool"]
        busy = pool["sandboxes"]["assigned"] + pool["sandboxes"]["warming"]
        return pool["min_warm"]["wanted"] == pool["min_warm"]["live"] == 2 and busy == 0

    wait_for("two to be kept warm", are_kept, 30)
    calls = [in_background(lambda: api.execute(function, 2)) for _ in range(2)]
    for answer in [call() for call in calls]:
        assert answer.headers["Berth-Start"] == "warm"
        wait_for_log(api, answer.headers["Berth-Invocation-Id"], ("loading", False), ("mine", False))
