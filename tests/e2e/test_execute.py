"""Functions in both languages run with what the caller sent, and each way to fail is told apart."""

import json
import re
import time
import uuid

import pytest
from support import PYTHON_SANDBOX_ID, check_problem, unique, wait_for

JSON = {"Content-Type": "application/json"}
LANGUAGES = ("python", "javascript")

# One function that does what its event says, so that few have to be deployed. Both do the same.
ACTOR = {
    "python": """
import os, sys, time, signal, json

calls = 0

class Oops(Exception):
    pass

def handler(event, context):
    global calls
    calls += 1
    do = event.get("do") if isinstance(event, dict) else "echo"
    if do == "echo":
        return event
    if do == "context":
        return {
            "request_id": context.request_id,
            "name": context.function_name,
            "version": context.function_version,
            "memory": int(context.memory_limit_in_mb),
            "remaining": context.get_remaining_time_in_millis(),
            "parameters": context.parameters,
        }
    if do == "calls":
        return calls
    if do == "environment":
        return os.environ.get("GREETING")
    if do == "raise":
        raise Oops("what went wrong: ü")
    if do == "exit":
        sys.exit(3)
    if do == "hard exit":
        os._exit(4)
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "sleep":
        time.sleep(60)
    if do == "spin":
        while True:
            pass
    if do == "not JSON":
        return {"a set": {1, 2}}
    if do == "NaN":
        return float("nan")
    if do == "circular":
        a = []
        a.append(a)
        return a
    if do == "size":
        return "x" * (event["bytes"] - 2)
    if do == "nothing":
        return None
""",
    "javascript": """
let calls = 0;

class Oops extends Error {}

exports.handler = async (event, context) => {
    calls++;
    switch (event?.do ?? 'echo') {
    case 'echo': return event;
    case 'context': return {
        request_id: context.requestId,
        name: context.functionName,
        version: context.functionVersion,
        memory: Number(context.memoryLimitInMB),
        remaining: context.getRemainingTimeInMillis(),
        parameters: context.parameters,
    };
    case 'calls': return calls;
    case 'environment': return process.env.GREETING;
    case 'raise': throw new Oops('what went wrong: ü');
    case 'exit': process.exit(3);
    case 'hard exit': process.reallyExit(4);
    case 'kill': process.kill(process.pid, 'SIGKILL'); return new Promise(() => {});
    case 'sleep': return new Promise((done) => setTimeout(done, 60000));
    case 'spin': for (;;);
    case 'not JSON': return 3n;
    case 'NaN': return 4n;
    case 'circular': { const a = []; a.push(a); return a; }
    case 'size': return 'x'.repeat(event.bytes - 2);
    case 'nothing': return;
    }
};
""",
}


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def actor(deploy_once, language):
    return deploy_once(ACTOR[language], language=language, timeout_ms=1500, environment={"GREETING": "hello"})


@pytest.fixture(scope="module")
def echo(deploy_once, language):
    code = {"python": "def handler(event, context):\n    return event\n", "javascript": "exports.handler = (e) => e;\n"}
    return deploy_once(code[language], language=language)


def server_timing(answer):
    found = re.fullmatch(
        r"queue;dur=([\d.]+), init;dur=([\d.]+), exec;dur=([\d.]+)", answer.headers["Server-Timing"]
    )
    return dict(zip(("queue", "init", "exec"), map(float, found.groups())))


# What a function may look like

SHAPES = {
    "python-sync": ("python", "def handler(event, context):\n    return event['a'] + 1\n"),
    "python-async": (
        "python",
        "import asyncio\n\nasync def handler(event, context):\n    await asyncio.sleep(0.01)\n    return event['a'] + 1\n",
    ),
    "python-class": (
        "python",
        "class Handler:\n    def __call__(self, event, context):\n        return event['a'] + 1\n\nhandler = Handler()\n",
    ),
    "commonjs-sync": ("javascript", "exports.handler = (event) => event.a + 1;\n"),
    "commonjs-module-exports": ("javascript", "module.exports = { handler: (event) => event.a + 1 };\n"),
    "commonjs-async": (
        "javascript",
        "exports.handler = async (event) => { await new Promise((r) => setTimeout(r, 10)); return event.a + 1; };\n",
    ),
    "commonjs-callback": (
        "javascript",
        "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, event.a + 1), 10); };\n",
    ),
    "es-module": ("javascript", "import os from 'node:os';\nexport const handler = async (event) => event.a + 1;\n"),
    "es-module-function": ("javascript", "export function handler(event) { return event.a + 1; }\n"),
    "es-module-top-level-await": (
        "javascript",
        "const one = await Promise.resolve(1);\nexport const handler = (event) => event.a + one;\n",
    ),
}


@pytest.mark.parametrize("language, code", SHAPES.values(), ids=SHAPES.keys())
def test_every_kind_of_handler_runs_and_runs_again(api, deploy, language, code):
    function = deploy(code, language=language)
    assert "warnings" not in function
    assert [api.output(function, {"a": n}) for n in (1, 2, 3)] == [2, 3, 4]


def test_a_callback_with_an_error_is_a_function_error(api, deploy):
    code = "exports.handler = (e, c, callback) => { setTimeout(() => callback(new TypeError('no')), 1); };\n"
    problem = check_problem(api.execute(deploy(code, language="javascript")), 502, "function_error")
    assert (problem["error"]["type"], problem["error"]["message"]) == ("TypeError", "no")


# What it is given, and what comes back

VALUES = [
    None,
    True,
    0,
    -1.5,
    "",
    "text",
    [],
    {},
    {"nested": [{"deep": [1, [2, [3]]]}]},
    "ünïcödé 日本語 🎉 \u2028",
    "NUL \0 in a string",
    "quotes \" and \\ and /",
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_input_comes_back_as_it_was(api, echo, value):
    assert api.output(echo, value) == value


def test_big_numbers_pass_unchanged_in_python(api, deploy):
    function = deploy("def handler(event, context):\n    return event\n")
    body = b'{"input": [12345678901234567890123, 9007199254740993, 1e300, 0.1]}'
    answer = api.raw("POST", f"/execute/{function['name']}", body, JSON)
    assert answer.text == '{"output":[12345678901234567890123,9007199254740993,1e+300,0.1]}'


def test_an_escaped_nul_and_a_lone_surrogate_pass(api, echo):
    answer = api.raw("POST", f"/execute/{echo['name']}", b'{"input": "a\\u0000b \\ud83c\\udf89"}', JSON)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text)["output"] == "a\0b 🎉"


def test_an_empty_body_is_no_input(api, echo):
    answer = api.raw("POST", f"/execute/{echo['name']}", b"", {})
    assert (answer.status_code, answer.text) == (200, '{"output":null}')
    assert api.raw("POST", f"/execute/{echo['name']}", b"{}", JSON).text == '{"output":null}'


def test_a_function_that_returns_nothing_gives_null(api, actor):
    assert api.output(actor, {"do": "nothing"}) is None


def test_the_context_says_who_is_called_and_how_long_it_may_take(api, actor):
    answer = api.post(
        f"/execute/{actor['id']}",
        json={"input": {"do": "context"}, "parameters": {"a": [1, 2]}},
        headers={"X-Request-Id": "my-request.1"},
    )
    context = answer.json()["output"]
    assert 0 < context.pop("remaining") <= 1500
    assert context == {
        "request_id": "my-request.1",
        "name": actor["name"],
        "version": "1",
        "memory": 128,
        "parameters": {"a": [1, 2]},
    }
    assert api.output(actor, {"do": "context"})["parameters"] == {}


def test_the_environment_is_the_functions(api, actor):
    assert api.output(actor, {"do": "environment"}) == "hello"


def test_parameters_without_input_are_passed(api, actor):
    answer = api.post(f"/execute/{actor['id']}", json={"parameters": {}})
    assert answer.json() == {"output": None}


# Headers


def test_a_sane_request_id_is_kept_and_any_other_replaced(api, echo):
    path = f"/execute/{echo['name']}"
    assert api.post(path, json={}, headers={"X-Request-Id": "abc-123_X:y.z"}).headers["X-Request-Id"] == "abc-123_X:y.z"
    minted = set()
    for headers in ({}, {"X-Request-Id": "bad id"}, {"X-Request-Id": "x" * 65}, {"X-Request-Id": 'a"b'}):
        minted.add(api.post(path, json={}, headers=headers).headers["X-Request-Id"])
    assert len(minted) == 4
    assert all(re.fullmatch("[0-9a-f-]{32,36}", one) for one in minted)


def test_every_answer_has_a_request_id(api, stack):
    requests = (("GET", "/"), ("GET", "/healthz"), ("GET", "/nothing"), ("POST", "/execute/none"), ("PATCH", "/functions"))
    for method, path in requests:
        answer = api.request(method, path, headers={"X-Request-Id": "traced"})
        assert answer.headers["X-Request-Id"] == "traced", path


def test_an_invocation_says_how_it_started_and_what_took_how_long(api, deploy, language):
    code = {
        "python": "import time\ndef handler(event, context):\n    time.sleep(0.1)\n",
        "javascript": "exports.handler = () => new Promise((r) => setTimeout(r, 100));\n",
    }
    function = deploy(code[language], language=language)
    first, second = api.execute(function), api.execute(function)
    assert uuid.UUID(first.headers["Berth-Invocation-Id"]) != uuid.UUID(second.headers["Berth-Invocation-Id"])
    assert second.headers["Berth-Start"] == "warm"
    for answer in (first, second):
        assert 99 <= server_timing(answer)["exec"] < 2900
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Type"] == "application/json"
    assert server_timing(second)["init"] == 0


def test_a_function_whose_sandbox_is_gone_starts_prewarmed_or_cold_and_initialises(api, actor):
    api.execute(actor, {"do": "exit"})
    answer = api.execute(actor, {"do": "calls"})
    assert answer.json()["output"] == 1
    assert answer.headers["Berth-Start"] in ("prewarmed", "cold")
    assert server_timing(answer)["init"] > 0


def test_a_sandbox_is_used_again_one_invocation_after_the_other(api, actor):
    first = api.output(actor, {"do": "calls"})
    assert [api.output(actor, {"do": "calls"}) for _ in range(5)] == [first + n for n in range(1, 6)]


# Large


def test_five_megabytes_go_in_and_come_out(api, echo):
    text = "0123456789abcdef" * (5 * 2**20 // 16)
    assert api.output(echo, text) == text


def test_output_up_to_the_limit_passes_and_one_byte_more_does_not(api, actor, stack):
    limit = int(stack.settings()["limits.response_bytes"])
    assert len(api.output(actor, {"do": "size", "bytes": limit})) == limit - 2
    problem = check_problem(api.execute(actor, {"do": "size", "bytes": limit + 1}), 502, "response_too_large")
    assert (problem["limit"], problem["actual"]) == (limit, limit + 1)
    assert api.output(actor, {"do": "size", "bytes": 10}) == "x" * 8


def test_output_far_over_the_limit_is_refused(api, actor):
    problem = check_problem(api.execute(actor, {"do": "size", "bytes": 20 << 20}), 502, "response_too_large")
    assert problem["actual"] == 20 << 20


# Each way to fail; afterwards the next invocation works


@pytest.fixture
def works_afterwards(api, actor):
    yield
    assert api.output(actor, "next") == "next"


def test_an_exception_has_type_message_and_stack(api, actor, language, works_afterwards):
    problem = check_problem(api.execute(actor, {"do": "raise"}), 502, "function_error")
    error = problem["error"]
    assert (error["type"], error["message"]) == ("Oops", "what went wrong: ü")
    (line,) = [n for n, text in enumerate(ACTOR[language].splitlines(), 1) if "what went wrong" in text]
    place = {"python": f'main.py", line {line}, in handler', "javascript": f"main.js:{line}:"}[language]
    assert place in error["stack"][0]
    assert not any("agent" in line for line in error["stack"])


@pytest.mark.parametrize("what", ["not JSON", "NaN", "circular"])
def test_a_result_that_is_not_json_is_invalid_output(api, actor, what, works_afterwards):
    problem = check_problem(api.execute(actor, {"do": what}), 502, "invalid_output")
    assert problem["error"]["message"]


@pytest.mark.parametrize("what", ["exit", "hard exit", "kill"])
def test_a_process_that_ends_is_sandbox_exited(api, actor, what, works_afterwards):
    started = time.monotonic()
    answer = api.execute(actor, {"do": what})
    problem = check_problem(answer, 502, "sandbox_exited")
    assert problem["phase"] == "exec"
    assert time.monotonic() - started < 1.5  # not the timeout


def test_memory_over_the_limit_ends_the_sandbox_only(api, deploy, language):
    code = {
        "python": "def handler(event, context):\n    return len(b'x' * (event << 20))\n",
        "javascript": "exports.handler = (event) => Buffer.alloc(event << 20, 1).length;\n",
    }
    function = deploy(code[language], language=language, timeout_ms=10000)
    answer = api.execute(function, 500)
    assert answer.status_code == 502, answer.text
    assert answer.json()["code"] in ("out_of_memory", "sandbox_exited")
    assert api.output(function, 1) == 1 << 20


@pytest.mark.parametrize("what", ["sleep", "spin"])
def test_a_timeout_answers_at_the_limit(api, actor, what, works_afterwards):
    started = time.monotonic()
    problem = check_problem(api.execute(actor, {"do": what}), 504, "function_timeout")
    took = time.monotonic() - started
    assert (problem["limit_ms"], problem["phase"]) == (1500, "exec")
    assert 1.5 <= took < 3


def test_after_a_timeout_the_sandbox_is_gone(api, deploy, stack):
    code = PYTHON_SANDBOX_ID + (
        "import time\n\ndef handler(event, context):\n    if event:\n        time.sleep(60)\n    return sandbox_id()\n"
    )
    function = deploy(code, timeout_ms=300)
    sandbox = api.output(function)
    assert stack.sandbox_container(sandbox)
    check_problem(api.execute(function, True), 504, "function_timeout")
    wait_for("the container to be removed", lambda: stack.sandbox_container(sandbox) is None, 5)
    wait_for("the directory to be removed", lambda: sandbox not in stack.sandbox_directories(), 5)
    assert api.output(function) != sandbox


@pytest.mark.parametrize(
    "language, code",
    [
        ("python", "import nowhere\n\ndef handler(event, context):\n    pass\n"),
        ("python", "def handler(event, context):\n    pass\n\nraise ValueError('at load')\n"),
        ("javascript", "require('nowhere');\nexports.handler = () => 1;\n"),
        ("javascript", "export const handler = () => 1;\nthrow new TypeError('at load');\n"),
    ],
)
def test_an_error_while_loading_is_an_init_error(api, deploy, language, code):
    function = deploy(code, language=language)
    assert function["warnings"][0]["code"] == "init_error"
    for _ in range(2):
        problem = check_problem(api.execute(function), 502, "init_error")
        assert problem["error"]["type"] and problem["error"]["message"] and problem["error"]["stack"]
    fixed = {"python": "def handler(event, context):\n    return 'ok'\n", "javascript": "exports.handler = () => 'ok';\n"}
    assert api.put(f"/functions/{function['id']}", json={"code": fixed[language]}).status_code == 200
    assert api.output(function) == "ok"


@pytest.mark.parametrize(
    "language, code",
    [
        ("python", "import sys\nsys.exit(1)\ndef handler(event, context):\n    pass\n"),
        ("javascript", "process.exit(1);\nexports.handler = () => 1;\n"),
    ],
)
def test_a_process_that_ends_while_loading_is_sandbox_exited_in_init(api, deploy, language, code):
    function = deploy(code, language=language)
    assert function["warnings"][0]["code"] == "sandbox_exited"
    assert check_problem(api.execute(function), 502, "sandbox_exited")["phase"] == "init"


def test_an_error_nobody_handles_is_a_function_error_and_ends_the_process(api, deploy):
    code = """
let calls = 0;
exports.handler = (event) => {
    calls++;
    if (event) { setTimeout(() => { throw new RangeError('late'); }, 1); return new Promise(() => {}); }
    return calls;
};
"""
    function = deploy(code, language="javascript")
    assert api.output(function) == 1
    problem = check_problem(api.execute(function, True), 502, "function_error")
    assert (problem["error"]["type"], problem["error"]["message"]) == ("RangeError", "late")
    assert api.output(function) == 1


# Printing

PRINTER = {
    "python": """
import os
def handler(event, context):
    line = b"x" * 1023 + b"\\n"
    for _ in range(event["lines"]):
        os.write(1, line)
    return "printed"
""",
    "javascript": """
const fs = require('node:fs');
exports.handler = (event) => {
    const line = 'x'.repeat(1023) + '\\n';
    for (let i = 0; i < event.lines; i++) process.stdout.write(line);
    return 'printed';
};
""",
}


def test_printing_fifty_megabytes_blocks_nobody_and_the_log_is_cut(api, database, deploy, language, stack):
    function = deploy(PRINTER[language], language=language, timeout_ms=20000)
    limit = int(stack.settings()["limits.log_default_bytes"])
    started = time.monotonic()
    answer = api.execute(function, {"lines": 50 * 1024})
    assert answer.json() == {"output": "printed"}, answer.text
    assert time.monotonic() - started < 15
    record = database.metric(answer.headers["Berth-Invocation-Id"])
    log = database.log(record["metric_id"])
    assert (len(log["text"]), log["log_bytes"]) == (limit, 50 << 20)
    answer = api.execute(function, {"lines": 1})
    record = database.metric(answer.headers["Berth-Invocation-Id"])
    assert database.log(record["metric_id"])["text"] == "x" * 1023 + "\n"


def test_a_name_like_another_functions_id_prefix_is_not_confused(api, deploy):
    first = deploy("def handler(event, context):\n    return 'first'\n")
    second = deploy("def handler(event, context):\n    return 'second'\n", name=unique(first["id"][:8]))
    assert api.output(first["id"]) == "first"
    assert api.output(second["name"]) == "second"
