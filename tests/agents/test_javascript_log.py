"""What the JavaScript agent itself writes to the log: errors, and the levels of what console prints."""

import json
import re

import pytest

from conftest import INVOCATION_ID, invoke_frame

ENTRY = re.compile(rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t(\S+)\tERROR\t([^\t\n]*)(?:\t(\{.*\}))?$", re.MULTILINE)


def entries(agent):
    found = ENTRY.findall(agent.log)
    assert all(name == INVOCATION_ID.encode() for name, _, _ in found)
    return [(what.decode(), json.loads(error) if error else None) for _, what, error in found]


@pytest.mark.parametrize(
    "code, label",
    [
        ("async (event) => inner(event)", "Invoke Error"),
        ("(event) => inner(event)", "Invoke Error"),
        ("(event, context, done) => { try { inner(event) } catch (error) { setTimeout(done, 1, error) } }", "Invoke Error"),
        ("(event) => { setTimeout(inner, 1, event); return new Promise(() => {}); }", "Uncaught Exception"),
        (
            "async (event) => { (async () => inner(event))(); await new Promise((go) => setTimeout(go, 1000)); }",
            "Unhandled Promise Rejection (is an await missing?)",
        ),
    ],
)
def test_an_error_is_one_line_of_the_log_with_its_stack(ready, code, label):
    agent = ready("javascript", f"const inner = (event) => {{ throw new RangeError('no\\n' + event); }};\nexports.handler = {code};")
    assert agent.invoke_error({"input": "cheese"})["message"].removesuffix(" (is an await missing?)") == "no\ncheese"
    [(what, error)] = entries(agent)
    assert what == label
    assert (error["errorType"], error["errorMessage"]) == ("RangeError", "no\ncheese")
    assert error["stack"][0] == "RangeError: no\ncheese"
    assert re.match(r"    at .*inner.*main\.js:1:", error["stack"][1])
    assert agent.log.count(b"\n") == 1


@pytest.mark.parametrize(
    "code, label",
    [
        ("setTimeout(() => { throw new Error('left') }, 1); return 1;", "Uncaught Exception"),
        ("boom(); return 1;", "Unhandled Promise Rejection (is an await missing?)"),
    ],
)
def test_an_exception_after_the_answer_is_a_line_that_names_the_invocation(ready, code, label):
    agent = ready("javascript", f"const boom = async () => {{ throw new Error('left'); }};\nexports.handler = () => {{ {code} }};")
    assert agent.invoke() == 1
    assert agent.wait_exit() == 1
    [(what, error)] = entries(agent)
    assert what == f"{label}, left behind after its answer"
    assert error["errorMessage"] == "left"


@pytest.mark.parametrize(
    "code",
    [
        "async (event, context, done) => { done(null, 1); throw new Error('left'); }",
        "(event, context, done) => { done(null, 1); throw new Error('left'); }",
        "(event, context) => { context.succeed(1); context.fail(new Error('left')); }",
    ],
)
def test_an_error_of_the_handler_after_its_answer_is_a_line_too(ready, code):
    agent = ready("javascript", f"exports.handler = {code};")
    for number in range(1, 3):
        assert agent.invoke() == 1
        while agent.log.count(b"\n") < number:
            agent.drain_log()
        assert [(what, error["errorMessage"]) for what, error in entries(agent)] == [("Error after the answer", "left")] * number


def test_a_callback_after_a_value_that_was_returned_is_told(ready):
    code = "exports.handler = (...args) => { setTimeout(args[2], 1, null, 2); return 1; };"
    agent = ready("javascript", code)
    assert agent.invoke() == 1
    while not agent.log.endswith(b"\n"):
        agent.drain_log()
    [(what, error)] = entries(agent)
    assert what.startswith("The handler called back after the value that it returned") and error is None


def test_the_line_of_an_error_keeps_its_place_between_the_streams(ready):
    agent = ready("javascript", "exports.handler = async () => { console.log('before'); throw new Error('no'); };")
    agent.invoke_error()
    assert agent.log.startswith(b"before\n2")
    agent.send(invoke_frame())
    agent.receive()
    assert agent.log.split(b"\n")[2] == b"before"


def level(digit, text):
    return b"\xff\0berth:level" + digit + b"\0\xff" + text + b"\xff\0berth:level0\0\xff"


@pytest.mark.parametrize(
    "code, stream, text",
    [
        ("console.log('a %d', 1)", "out", b"a 1\n"),
        ("console.info('a')", "out", b"a\n"),
        ("console.error('a')", "error", b"a\n"),
        ("console.debug('a')", "out", level(b"2", b"a\n")),
        ("console.warn('a')", "error", level(b"4", b"a\n")),
        ("console.fatal('a')", "error", level(b"6", b"a\n")),
        ("console.log('a\\nb')", "out", level(b"3", b"a\nb\n")),
        ("console.log('a\\n')", "out", level(b"3", b"a\n\n")),
        ("console.log({ a: 'x'.repeat(50), b: 'y'.repeat(50) })", "out", level(b"3", b"{\n  a: '%s',\n  b: '%s'\n}\n" % (b"x" * 50, b"y" * 50))),
        ("console.error('a\\nb')", "error", level(b"5", b"a\nb\n")),
        ("console.dir({ a: 'x'.repeat(50), b: 'y'.repeat(50) })", "out", level(b"3", b"{\n  a: '%s',\n  b: '%s'\n}\n" % (b"x" * 50, b"y" * 50))),
        ("console.group('a'); console.debug('b'); console.groupEnd()", "out", b"a\n" + level(b"2", b"  b\n")),
        ("console.assert(false, 'a')", "error", level(b"4", b"Assertion failed: a\n")),
        ("console.debug('é')", "out", level(b"2", "é\n".encode())),
        ("process.stdout.write('a\\nb\\n')", "out", b"a\nb\n"),
        ("console.debug.call(null, 'a'); console.log('b')", "out", level(b"2", b"a\n") + b"b\n"),
    ],
)
def test_levels_of_console_are_marked(ready, code, stream, text):
    agent = ready("javascript", f"exports.handler = async () => {{ {code}; }};", log_levels=True)
    seen = []
    receive = agent.drain_log
    agent.drain_log = lambda: (receive(), seen.append([agent.streams[agent.log_socket], agent.streams[agent.error_socket]]))
    agent.invoke()
    assert seen[-1] == ([text, b""] if stream == "out" else [b"", text])


def test_console_trace_is_one_entry_of_its_level(ready):
    agent = ready("javascript", "exports.handler = async () => { console.trace('here'); };", log_levels=True)
    agent.invoke()
    assert re.fullmatch(rb"\xff\0berth:level1\0\xffTrace: here\n    at [^\xff]*main\.js:1:[^\xff]*\n\xff\0berth:level0\0\xff", agent.log)
    assert b"log.js" not in agent.log


def test_a_host_that_does_not_know_levels_gets_no_marks(ready):
    agent = ready("javascript", "exports.handler = async () => { console.debug('a\\nb'); console.warn('c'); };")
    agent.invoke()
    assert agent.log == b"a\nb\nc\n"


def test_marks_are_not_written_into_a_file_that_replaced_a_stream(ready, tmp_path):
    code = """
const fs = require('node:fs');
exports.handler = async () => {
    fs.closeSync(1);
    fs.openSync('out', 'w');
    console.debug('a\\nb');
    console.error('c');
    return fs.readFileSync('out', 'latin1');
};
"""
    agent = ready("javascript", code, log_levels=True)
    # The stream keeps the socket's handle, so it writes to the file's descriptor as to a socket: what arrives has no marks.
    assert b"\xff" not in agent.invoke().encode()
