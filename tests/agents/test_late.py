"""What is printed after the answer is told from what the next invocation prints, and errors that nobody caught are marked."""

import pytest

from conftest import INVOCATION_ID

INVOKE = b"\xff\0berth:invoke\0\xff"
FAILED = b"\xff\0berth:failed\0\xff"

LATER = {
    "python": """
import threading

go = threading.Event()

def work():
    go.wait()
    print("late")

def handler(event, context):
    if event == "leave":
        threading.Timer(0, work).start()
        go.set()
    if event == "print":
        print("mine")
""",
    "javascript": """
exports.handler = async (event) => {
    if (event === 'leave') setTimeout(() => console.log('late'), 1);
    if (event === 'print') console.log('mine');
};
""",
}
QUIET = {
    "python": "def handler(event, context): print('mine')",
    "javascript": "exports.handler = async () => { console.log('mine'); };",
}
FAILING = {
    "thread": (
        "python",
        """
import threading

def work():
    answered.wait()
    raise ValueError("boom")

answered = threading.Event()
threading.Timer(0, work).start()

def handler(event, context):
    threading.Timer(0.05, answered.set).start()
""",
        b"[ERROR] ValueError: boom (in Thread-",
    ),
    "promise": (
        "javascript",
        "exports.handler = async () => { setTimeout(() => Promise.reject(new RangeError('boom')), 5); };",
        b"Unhandled Promise Rejection",
    ),
    "timer": (
        "javascript",
        "exports.handler = async () => { setTimeout(() => { throw new RangeError('boom'); }, 5); };",
        b"Uncaught Exception",
    ),
    "fail": (
        "javascript",
        "exports.handler = (event, context) => { setTimeout(() => context.fail(new RangeError('boom')), 5); return 1; };",
        b"Error after the answer",
    ),
}


def wait_for_log(agent, part):
    while part not in b"".join(agent.printed.values()):
        agent.drain_log()


def test_an_invocation_is_marked_when_something_came_before_it(ready, language):
    agent = ready(language, LATER[language], late_marks=True)
    agent.invoke({"input": "leave"})
    wait_for_log(agent, b"late\n")
    agent.invoke({"input": "print"})
    out, error = agent.printed.values()
    assert (out, error) == (b"late\n" + INVOKE + b"mine\n", INVOKE)


def test_an_invocation_is_not_marked_when_nothing_came_before_it(ready, language):
    agent = ready(language, QUIET[language], late_marks=True)
    for _ in range(3):
        agent.invoke()
    assert list(agent.printed.values()) == [b"mine\n" * 3, b""]


def test_an_older_host_gets_no_marks_of_late_output(ready, language):
    agent = ready(language, LATER[language])
    agent.invoke({"input": "leave"})
    wait_for_log(agent, b"late\n")
    agent.invoke({"input": "print"})
    assert list(agent.printed.values()) == [b"late\nmine\n", b""]


@pytest.mark.parametrize("marks", [True, False], ids=["marks", "older host"])
@pytest.mark.parametrize("how", FAILING)
def test_an_error_after_the_answer_is_told_and_marked(ready, how, marks):
    language, code, said = FAILING[how]
    agent = ready(language, code, late_marks=marks)
    agent.invoke()
    wait_for_log(agent, b"boom")
    error = list(agent.printed.values())[1]
    assert error.split(b"\n")[0].count(FAILED) == (1 if marks else 0)
    assert said in error
    if language == "javascript":
        assert INVOCATION_ID.encode() in error
