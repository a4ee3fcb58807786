"""What a function prints to stdout and to stderr, however it does: levels, entries, order, completeness, and no secrets."""

import pytest
from support import check_problem

PYTHON = {
    "switch": """
import sys
def handler(event, context):
    for n in range(200):
        print("out", n)
        print("error", n, file=sys.stderr)
""",
    "partial": """
import sys
def handler(event, context):
    sys.stdout.write("half "); sys.stdout.flush()
    sys.stderr.write("in between\\n")
    sys.stdout.write("whole\\n")
    sys.stderr.write("no end"); sys.stderr.flush()
""",
    "huge": """
import os, sys
def handler(event, context):
    print("x" * 500000)
    sys.stdout.flush()
    print("y" * 500000, file=sys.stderr)
""",
    "bytes": """
import os
def handler(event, context):
    os.write(1, bytes(range(256)))
    os.write(2, b"\\0\\xff\\0berth\\n")
""",
    "secret": """
import os, sys, time
def handler(event, context):
    token = os.environ["MY_API_KEY"]
    print("it is", token, "or", token + token)
    sys.stdout.write(token[:9]); sys.stdout.flush()
    time.sleep(0.1)
    print(token[9:])
    print(token, file=sys.stderr)
    print(os.environ["COLOUR"])
""",
    "fail": """
import sys
def handler(event, context):
    print("before")
    print("oops", file=sys.stderr)
    raise ValueError("as asked")
""",
}

JAVASCRIPT = {
    "switch": """
exports.handler = async () => {
  for (let n = 0; n < 200; n++) { console.log("out", n); console.error("error", n); }
}""",
    "partial": """
exports.handler = async () => {
  process.stdout.write("half ");
  process.stderr.write("in between\\n");
  process.stdout.write("whole\\n");
  process.stderr.write("no end");
}""",
    "huge": """
exports.handler = async () => {
  console.log("x".repeat(500000));
  console.error("y".repeat(500000));
}""",
    "bytes": """
const fs = require('fs');
exports.handler = async () => {
  fs.writeSync(1, Buffer.from([...Array(256).keys()]));
  fs.writeSync(2, Buffer.from("\\0\\xff\\0berth\\n", "latin1"));
}""",
    "secret": """
exports.handler = async () => {
  const token = process.env.MY_API_KEY;
  console.log("it is", token, "or", token + token);
  process.stdout.write(token.slice(0, 9));
  await new Promise((done) => setTimeout(done, 100));
  console.log(token.slice(9));
  console.error(token);
  console.log(process.env.COLOUR);
}""",
    "fail": """
exports.handler = async () => {
  console.log("before");
  console.error("oops");
  throw new Error("as asked");
}""",
}

CODE = {"python": PYTHON, "javascript": JAVASCRIPT}


@pytest.fixture(params=["python", "javascript"])
def language(request):
    return request.param


@pytest.fixture
def logged(api, database, deploy):
    """Deploys it, runs it, and returns what is told of its log, lines as (level, text), and the answer."""

    def run(code, language, runtime, **settings):
        function = deploy(code, language=language, runtime=runtime, timeout_ms=20000, **settings)
        answer = api.execute(function, None)
        invocation_id = answer.headers["Berth-Invocation-Id"]
        database.metric(invocation_id)
        told = api.get(f"/invocations/{invocation_id}/logs").json()
        return told, [(line["level"], line["text"]) for line in told["lines"]], answer

    return run


def test_print_after_print_keeps_its_order_whatever_the_stream(logged, language, runtime):
    told, lines, _ = logged(CODE[language]["switch"], language, runtime)
    assert lines == [line for n in range(200) for line in (("info", f"out {n}"), ("error", f"error {n}"))]
    times = [line["at"] for line in told["lines"]]
    assert times == sorted(times)
    assert told["log_bytes"] == sum(len(text) + 1 for _, text in lines)


def test_a_line_is_of_one_stream_whatever_came_in_its_middle(logged, language, runtime):
    _, lines, _ = logged(CODE[language]["partial"], language, runtime)
    assert lines == [("info", "half whole"), ("error", "in between"), ("error", "no end")]


def test_what_is_larger_than_a_socket_buffer_is_complete(logged, language, runtime):
    _, lines, _ = logged(CODE[language]["huge"], language, runtime, log_bytes=1_000_002, memory_limit_mb=256)
    assert lines == [("info", "x" * 500000), ("error", "y" * 500000)]


def test_what_is_cut_off_is_counted_to_the_byte(logged, language, runtime):
    told, lines, _ = logged(CODE[language]["huge"], language, runtime, log_bytes=1000, memory_limit_mb=256)
    assert lines[0] == ("info", "x" * 1000)
    assert (told["truncated"], told["lost_bytes"], told["log_bytes"]) == (True, 1000002 - 1000, 1000002)
    assert lines[-1][0] == "platform" and "999002 more bytes" in lines[-1][1]


def test_any_bytes_pass_and_what_only_begins_like_a_mark_is_none(logged, language, runtime):
    told, lines, _ = logged(CODE[language]["bytes"], language, runtime)
    assert told["log_bytes"] == 256 + 9
    assert [level for level, _ in lines if level == "error"] == ["error"]
    assert ("error", "\ufffd\ufffd\ufffdberth") in lines


def test_secrets_are_masked_and_other_variables_are_not(api, database, logged, language, runtime):
    environment = {"MY_API_KEY": "correct horse battery", "COLOUR": "ultramarine", "A_TOKEN": "short"}
    _, lines, answer = logged(CODE[language]["secret"], language, runtime, environment=environment)
    assert [text for level, text in lines if level == "info"] == ["it is *** or ******", "***", "ultramarine"]
    assert [text for level, text in lines if level == "error"] == ["***"]
    assert "correct" not in database.log(answer.headers["Berth-Invocation-Id"])["text"]


def test_secrets_are_masked_in_errors_too(api, logged, language, runtime):
    code = {
        "python": "import os\ndef handler(event, context):\n    raise ValueError('no ' + os.environ['MY_API_KEY'])",
        "javascript": "exports.handler = async () => { throw new Error('no ' + process.env.MY_API_KEY); }",
    }
    environment = {"MY_API_KEY": "correct horse battery"}
    _, lines, answer = logged(code[language], language, runtime, environment=environment)
    problem = check_problem(answer, 502, "function_error")
    assert problem["error"]["message"] == "no ***" and problem["detail"].endswith("no ***")
    record = api.get(f"/invocations/{answer.headers['Berth-Invocation-Id']}").json()
    assert record["error"]["message"].endswith("no ***"), record
    assert lines[-1][0] == "platform" and lines[-1][1].endswith("no ***")
    assert "correct" not in answer.text + str(record) + str(lines)


def test_a_failure_is_told_by_the_platform_behind_what_was_printed(logged, language, runtime):
    _, lines, answer = logged(CODE[language]["fail"], language, runtime)
    check_problem(answer, 502, "function_error")
    assert lines[:2] == [("info", "before"), ("error", "oops")]
    assert lines[2][0] == "error" and {"python": "[ERROR] ", "javascript": "\tERROR\tInvoke Error\t{"}[language] in lines[2][1]
    assert lines[-1][0] == "platform" and lines[-1][1].startswith("function_error: ")


# Entries, with marks as agents write them (runtimes/protocol.md), here by the function itself

MARKS = """
import os
def mark(digit):
    return b"\\xff\\0berth:level" + digit + b"\\0\\xff"
"""


def test_an_entry_has_the_level_of_its_mark_and_may_have_several_lines(api, logged, runtime):
    code = (
        MARKS
        + """
def handler(event, context):
    os.write(1, b"plain\\n")
    for digit, name in zip(b"123456", "trace debug info warning error critical".split()):
        os.write(1, mark(bytes([digit])) + name.encode() + b"\\n\\tsecond\\n\\n" + mark(b"0"))
    os.write(2, mark(b"3") + b"information\\n" + mark(b"0") + b"oops\\noops\\n")
    os.write(1, mark(b"2") + b"one\\n" + mark(b"2") + b"two" + mark(b"0") + b"half\\n")
"""
    )
    told, lines, answer = logged(code, "python", runtime)
    levels = ("trace", "debug", "info", "warning", "error", "critical")
    assert [line for line in lines if line[1] not in ("information", "oops")] == [
        ("info", "plain"),
        *((level, f"{level}\n\tsecond\n") for level in levels),
        ("debug", "one"),
        ("debug", "two"),
        ("info", "half"),
    ]
    assert [line for line in lines if line[1] in ("information", "oops")] == [
        ("info", "information"),
        ("error", "oops"),
        ("error", "oops"),
    ]
    assert told["log_bytes"] == sum(len(text) + 1 for _, text in lines) - 1  # the newline behind "two"

    text = api.get(f"/invocations/{answer.headers['Berth-Invocation-Id']}/logs", params={"format": "text"}).text
    assert " critical critical\n    \tsecond\n    \n" in text
    assert text.count("Z ") == len(lines)


def test_entries_of_both_streams_keep_apart_and_their_secrets_are_masked(database, logged, runtime):
    code = (
        MARKS
        + """
def handler(event, context):
    token = os.environ["MY_API_KEY"].encode()
    os.write(1, mark(b"4") + b"begun " + token[:9])
    os.write(2, mark(b"6") + token + b"\\n" + mark(b"0"))
    os.write(1, token[9:] + b"\\nended\\n" + mark(b"0"))
    os.write(1, token[:9] + mark(b"5") + token[9:])
"""
    )
    environment = {"MY_API_KEY": "correct horse battery"}
    _, lines, answer = logged(code, "python", runtime, environment=environment)
    assert sorted(lines) == [("critical", "***"), ("info", "***"), ("warning", "begun ***\nended")]
    assert "correct" not in database.log(answer.headers["Berth-Invocation-Id"])["text"]


def test_secrets_that_overlap_are_masked_together(logged, runtime):
    code = """
import os
def handler(event, context):
    print("is", os.environ["A_TOKEN"] + os.environ["B_TOKEN"][5:] + os.environ["C_TOKEN"][9:] + "!")
"""
    environment = {"A_TOKEN": "user:first", "B_TOKEN": "firstsecond", "C_TOKEN": "rstsecond:third", "D_TOKEN": "stsecond"}
    _, lines, _ = logged(code, "python", runtime, environment=environment)
    assert lines == [("info", "is ***!")]


def test_marks_that_make_no_sense_only_mix_up_the_log_of_who_writes_them(logged, runtime):
    code = (
        MARKS
        + """
def handler(event, context):
    for n in range(3000):
        os.write(1 + n % 2, mark(b"%d" % (n % 9)) * 50 + b"x\\n" + mark(b"0")[: n % 16])
    os.write(1, mark(b"6")[:9])
    return "done"
"""
    )
    told, lines, answer = logged(code, "python", runtime, log_bytes=1048576)
    assert answer.json() == {"output": "done"}
    assert told["kept_bytes"] <= 1048576 and len(lines) > 100
    assert {level for level, _ in lines} <= {"trace", "debug", "info", "warning", "error", "critical", "platform"}
    _, lines, _ = logged("def handler(event, context):\n    print('next')", "python", runtime)
    assert lines == [("info", "next")]


# What a function does with its descriptors


def test_a_child_prints_to_both_streams(logged, runtime):
    code = """
import os, subprocess, sys
def handler(event, context):
    print("parent")
    subprocess.run("echo out; echo error >&2", shell=True)
    if os.fork() == 0:
        print("forked"); print("forked error", file=sys.stderr)
        os._exit(0)
    os.wait()
"""
    _, lines, _ = logged(code, "python", runtime)
    assert sorted(lines) == sorted(
        [("info", "parent"), ("info", "out"), ("error", "error"), ("info", "forked"), ("error", "forked error")]
    )
    assert lines[0] == ("info", "parent")
    assert lines.index(("info", "forked")) < lines.index(("error", "forked error"))


def test_one_stream_closed_or_turned_into_a_file_harms_neither_the_other_nor_the_file(logged, runtime):
    code = """
import os, sys
def handler(event, context):
    os.close(1)
    assert os.open("/tmp/out", os.O_RDWR | os.O_CREAT) == 1
    print("to the file")
    print("error", file=sys.stderr)
    print("to the file as well")
    return open("/tmp/out", "rb").read().decode()
"""
    _, lines, answer = logged(code, "python", runtime)
    assert answer.json() == {"output": "to the file\nto the file as well\n"}
    assert lines == [("error", "error")]


def test_streams_may_change_places_and_cannot_be_opened_anew(logged, runtime):
    code = """
import os
def handler(event, context):
    refused = 0
    for path in ("/dev/stdout", "/dev/stderr", "/proc/self/fd/1"):
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError:
            refused += 1
    saved = os.dup(1)
    os.dup2(2, 1)
    os.dup2(saved, 2)
    os.write(1, b"to stderr\\n")
    os.write(2, b"to stdout\\n")
    return refused
"""
    _, lines, answer = logged(code, "python", runtime)
    assert answer.status_code == 200, answer.text
    assert sorted(lines) == [("error", "to stderr"), ("info", "to stdout")]
