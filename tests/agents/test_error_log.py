"""What ends an invocation or a load is in the function's log, with its place in the code, and says what to do where that is certain."""

import os

import pytest

from conftest import ERROR, INIT_ERROR, init_frame, invoke_frame
from entries import entries


@pytest.fixture
def failed(ready):
    """failed(code, **settings): the entries of a Python invocation that fails, and its error."""

    def run(code, **settings):
        agent = ready("python", code, **({"log_levels": True} | settings))
        agent.send(invoke_frame())
        error = agent.expect(ERROR)
        return entries(agent), error

    return run


@pytest.fixture
def failed_load(boot):
    """failed_load(files): the entries of a load that fails, and its error."""

    def run(files):
        agent = boot("python", files)
        agent.send(init_frame(log_levels=True))
        error = agent.expect(INIT_ERROR)
        return entries(agent), error

    return run


def test_exception_is_one_entry_with_the_functions_frames_after_what_was_printed(failed, tmp_path):
    code = """
def inner(n):
    raise LookupError("no cheese")

def handler(event, context):
    print("printed")
    print("half", end="")
    return inner(1)
"""
    assert failed(code)[0] == [
        ("info", "printed"),
        ("info", "half"),
        (
            "error",
            "[ERROR] LookupError: no cheese\n"
            "Traceback (most recent call last):\n"
            f'  File "{tmp_path}/main.py", line 8, in handler\n'
            "    return inner(1)\n"
            f'  File "{tmp_path}/main.py", line 3, in inner\n'
            '    raise LookupError("no cheese")',
        ),
    ]


def test_its_cause_follows(failed):
    code = """
def handler(event, context):
    try: 1 / 0
    except ArithmeticError as error: raise ValueError("outer") from error
"""
    [(level, text)] = failed(code)[0]
    lines = text.splitlines()
    assert level == "error"
    assert lines[0] == "[ERROR] ValueError: outer"
    assert lines[3:5] == ['    except ArithmeticError as error: raise ValueError("outer") from error', "Caused by ZeroDivisionError: division by zero"]


def test_older_host_gets_it_line_by_line(failed):
    found = failed("def handler(event, context): raise KeyError('x')", log_levels=False)[0]
    assert found[:2] == [("error", "[ERROR] KeyError: 'x'"), ("error", "Traceback (most recent call last):")]


def test_other_errors_are_logged_too(failed):
    [(level, text)] = failed("def handler(event, context): return {1}")[0]
    assert (level, text[:28]) == ("error", "[ERROR] TypeError: what the ")
    [entry] = failed("def handler(event, context): return 'x' * 2000", limits={"response_bytes": 1000})[0]
    assert entry == ("error", "[ERROR] ResponseTooLarge: the output has 2002 bytes, the limit is 1000")


def test_its_size_is_bounded(failed):
    code = """
def dive(n): return dive(n + 1)
def handler(event, context):
    dive(0)
"""
    [(_, text)] = failed(code)[0]
    assert text.startswith("[ERROR] RecursionError: ") and "[Previous line repeated" in text
    [(_, text)] = failed("def handler(event, context): raise ValueError('é' * (1 << 20))")[0]
    assert 8000 < len(text.encode()) < 9000


def test_source_that_cannot_be_read_is_left_out(failed):
    code = "import linecache\nlinecache.getline = linecache.checkcache = None\ndef handler(event, context): raise KeyError('x')"
    [(_, text)] = failed(code)[0]
    assert text.endswith("main.py\", line 3, in handler")


def test_error_at_load_is_in_the_log(failed_load, tmp_path):
    found, _ = failed_load("print('loading')\nraise ValueError('broken')")
    assert found[0] == ("info", "loading")
    assert found[1] == (
        "error",
        "[ERROR] ValueError: broken\nTraceback (most recent call last):\n"
        f"  File \"{tmp_path}/main.py\", line 2, in <module>\n    raise ValueError('broken')",
    )


def test_syntax_error_is_in_the_log_with_its_place(failed_load, tmp_path):
    found, error = failed_load({"main.py": "import util", "util.py": "\n\nx ="})
    assert error["stack"][0] == f'File "{tmp_path}/util.py", line 3, in <module>'
    [(level, text)] = found
    assert level == "error" and text.startswith("[ERROR] SyntaxError: invalid syntax\n")
    assert text.endswith(f'  File "{tmp_path}/util.py", line 3, in <module>\n    x =')


def test_missing_handler_file_is_told_with_the_files_there_are(failed_load):
    found, error = failed_load({"app.py": "", "util.py": ""})
    assert error["message"] == "handler 'main.handler': there is no module 'main'; name one of the function's files: app.py, util.py"
    assert found == [("error", f"[ERROR] HandlerError: {error['message']}")]


ADVICE = {
    "module": ("import at_load.sub", "at_load", "add it there"),
    "environment variable": ("import os; os.environ['TABLE_NAME']", "'TABLE_NAME'", "add it to the function's environment"),
}


@pytest.mark.parametrize("case", ADVICE)
def test_message_says_what_to_do(failed, case):
    statement, what, advice = ADVICE[case]
    found, error = failed(f"def handler(event, context): {statement}")
    assert what in error["message"] and advice in error["message"]
    assert error["message"] in found[0][1]


def test_message_gives_no_advice_that_is_a_guess(failed):
    assert failed("def handler(event, context): {}['TABLE_NAME']")[1]["message"] == "'TABLE_NAME'"
    assert failed("def handler(event, context): raise ImportError('x')")[1]["message"] == "x"


CONNECTIONS = {
    "connecting": "import socket; socket.create_connection(('192.0.2.1', 80), 5)",
    "resolving": "import socket; socket.getaddrinfo('name.invalid', 80)",
    "urllib": "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')",
}


@pytest.mark.skipif(os.getuid() != 0, reason="makes a network of its own")
@pytest.mark.parametrize("case", CONNECTIONS)
def test_without_a_network_the_message_says_so(failed, case):
    code = f"def handler(event, context): {CONNECTIONS[case]}"
    _, error = failed(code, prefix=["unshare", "--net"])
    assert error["message"].endswith(" (the function has no network: set its network to egress)")
