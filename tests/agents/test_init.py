"""What goes wrong before a function is ready, told apart."""

import pytest

from conftest import INIT_ERROR, init_frame


def test_hello_names_protocol_language_and_version(boot, language):
    hello = boot(language, {}).hello
    assert hello["protocol"] == 1
    assert hello["language"] == language
    assert len(hello["version"].split(".")) == 3


SYNTAX_ERRORS = {
    "python": ("python", {"main.py": "x = 1\ndef handler(:\n  pass"}, 2),
    "python indentation": ("python", {"main.py": "def handler(event, context):\nreturn 1"}, 2),
    "python in an imported file": ("python", {"main.py": "import util", "util.py": "\n\nx ="}, 3),
    "commonjs": ("javascript", {"main.js": "exports.a = 1;\nexports.handler = () => {;"}, 2),
    "commonjs in a required file": ("javascript", {"main.js": "require('./util');", "util.js": "\n\nlet x = ;"}, 3),
    "es module": ("javascript", {"main.mjs": "export const a = 1;\nexport const handler = (;"}, 2),
    "es module in .js": ("javascript", {"main.js": "export const a = 1;\nexport const handler = (;"}, 2),
    "es module that imports what is not there": (
        "javascript",
        {"main.mjs": "import { missing } from './util.mjs';\nexport const handler = missing;", "util.mjs": ""},
        (0, 1),
    ),
}


@pytest.mark.parametrize("case", SYNTAX_ERRORS)
def test_code_that_does_not_compile_is_a_syntax_error_with_its_line(init_error, case):
    language, files, line = SYNTAX_ERRORS[case]
    error = init_error(language, files)
    assert error["kind"] == "syntax", error
    assert error["type"] in ("SyntaxError", "IndentationError")
    assert error["line"] in (line if isinstance(line, tuple) else (line,))
    assert error["message"]
    assert len(error["stack"]) == 1 or language == "python"


@pytest.mark.parametrize("handler", ["main", "", ".", ".handler", "main.", "../main.handler.", "pkg/.handler"])
def test_malformed_handler_is_a_handler_error(init_error, language, handler):
    error = init_error(language, "", handler=handler)
    assert error["kind"] == "handler", error


@pytest.mark.parametrize("handler", ["missing.handler", "pkg/missing.handler", "main/sub.handler"])
def test_missing_file_is_a_handler_error(init_error, language, handler):
    error = init_error(language, "", handler=handler)
    assert error["kind"] == "handler", error
    assert handler in error["message"]


def test_missing_function_is_a_handler_error(init_error, language):
    error = init_error(language, "")
    assert error["kind"] == "handler"
    assert "main" in error["message"] and "'handler'" in error["message"]


def test_handler_that_is_not_callable_is_a_handler_error(init_error, language):
    code = {"python": "handler = 3", "javascript": "exports.handler = 3;"}[language]
    error = init_error(language, code)
    assert error["kind"] == "handler"


@pytest.mark.parametrize(
    "language, code, type_name",
    [
        ("python", "x = 1\nraise ValueError('at load')", "ValueError"),
        ("python", "import json\njson.loads('at load')", "JSONDecodeError"),
        ("python", "eval('at load')", "SyntaxError"),
        ("python", "import at_load", "ModuleNotFoundError"),
        ("javascript", "\nthrow new RangeError('at load');", "RangeError"),
        ("javascript", "JSON.parse('at load');", "SyntaxError"),
        ("javascript", "export const x = JSON.parse('at load');", "SyntaxError"),
        ("javascript", "require('at_load');", "Error"),
        ("javascript", "import 'at_load';", "Error"),
        ("javascript", "await Promise.reject(new TypeError('at load')); export const handler = 1;", "TypeError"),
    ],
)
def test_exception_at_load_is_reported_with_the_functions_frames(init_error, language, code, type_name):
    error = init_error(language, code)
    assert error["kind"] == "exception", error
    assert error["type"] == type_name
    assert "line" not in error
    assert not any("agent." in line or "importlib" in line or "node:internal" in line for line in error["stack"])


def test_exception_at_load_has_its_line(init_error, language):
    code = {"python": "x = 1\nraise ValueError('broken')", "javascript": "\nthrow new Error('broken');"}[language]
    error = init_error(language, code)
    assert error["message"] == "broken"
    assert {"python": "main.py\", line 2", "javascript": "main.js:2"}[language] in error["stack"][0]


def test_rejection_nobody_handles_at_load_is_an_exception(init_error):
    code = "Promise.reject(new Error('lost')); await new Promise(() => setTimeout(() => {}, 5000)); export const handler = 1;"
    error = init_error("javascript", code)
    assert (error["kind"], error["message"]) == ("exception", "lost (is an await missing?)")


def test_output_of_a_failed_load_is_in_the_log(boot, language):
    code = {
        "python": "import sys\nsys.stdout.write('half a line')\nraise ValueError()",
        "javascript": "process.stdout.write('half a line');\nthrow new Error();",
    }[language]
    agent = boot(language, code)
    agent.send(init_frame())
    agent.expect(INIT_ERROR)
    assert agent.log.startswith(b"half a line")


@pytest.mark.parametrize("code", [0, 3])
def test_exit_at_load_ends_the_process(boot, language, code):
    source = {"python": f"import sys\nsys.exit({code})", "javascript": f"process.exit({code});"}[language]
    agent = boot(language, source)
    agent.send(init_frame())
    assert agent.wait_exit() == code
