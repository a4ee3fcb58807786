"""How a handler is found and called, and what it gets and gives."""

import json

import pytest

from conftest import INVOCATION_ID, REQUEST_ID, RESULT, RUNTIMES, invoke_frame

ECHO = {
    "python": "def handler(event, context): return event",
    "javascript": "exports.handler = (event) => event;",
}

STYLES = {
    "python function": ("python", {"main.py": "def handler(event, context): return {'got': event}"}),
    "python async function": ("python", {"main.py": "async def handler(event, context): return {'got': event}"}),
    "python function that returns an awaitable": (
        "python",
        {"main.py": "async def work(event): return {'got': event}\ndef handler(event, context): return work(event)"},
    ),
    "python callable object": (
        "python",
        {"main.py": "class Handler:\n def __call__(self, event, context): return {'got': event}\nhandler = Handler()"},
    ),
    "commonjs function": ("javascript", {"main.js": "exports.handler = (event) => ({ got: event });"}),
    "commonjs async function": ("javascript", {"main.js": "exports.handler = async (event) => ({ got: event });"}),
    "commonjs callback": (
        "javascript",
        {"main.js": "exports.handler = (event, context, done) => { setTimeout(done, 1, null, { got: event }); };"},
    ),
    "commonjs callback called at once": (
        "javascript",
        {"main.js": "exports.handler = (event, context, done) => done(null, { got: event });"},
    ),
    "commonjs in .cjs": ("javascript", {"main.cjs": "exports.handler = (event) => ({ got: event });"}),
    "es module in .mjs": ("javascript", {"main.mjs": "export const handler = (event) => ({ got: event });"}),
    "es module in .js": ("javascript", {"main.js": "export const handler = async (event) => ({ got: event });"}),
    "es module in .js with import": (
        "javascript",
        {"main.js": "import fs from 'node:fs';\nexport const handler = (event) => fs && { got: event };"},
    ),
    "es module in .js with top-level await": (
        "javascript",
        {"main.js": "const got = await 'got';\nexport const handler = (event) => ({ [got]: event });"},
    ),
    "es module in .mjs with top-level await": (
        "javascript",
        {"main.mjs": "const got = await 'got';\nexport const handler = (event) => ({ [got]: event });"},
    ),
    "es module that package.json declares": (
        "javascript",
        {"main.js": "export const handler = (event) => ({ got: event });", "package.json": '{"type": "module"}'},
    ),
    "es module that imports another file": (
        "javascript",
        {
            "main.js": "import { wrap } from './wrap.mjs';\nexport const handler = wrap;",
            "wrap.mjs": "export const wrap = (event) => ({ got: event });",
        },
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_handler_of_every_style_is_called(ready, style):
    language, files = STYLES[style]
    agent = ready(language, files)
    for number in range(3):
        assert agent.invoke({"input": number}) == {"got": number}
    assert agent.log == b""


@pytest.mark.parametrize(
    "language, handler, name",
    [
        ("python", "app.run", "app.py"),
        ("python", "pkg/mod.run", "pkg/mod.py"),
        ("python", "pkg.mod.run", "pkg/mod.py"),
        ("python", "my-app.run", "my-app.py"),
        ("javascript", "app.run", "app.js"),
        ("javascript", "pkg/mod.run", "pkg/mod.js"),
        ("javascript", "pkg/mod.run", "pkg/mod.cjs"),
    ],
)
def test_handler_setting_names_file_and_function(ready, language, handler, name):
    agent = ready(language, {name: ECHO[language].replace("handler", "run")}, handler=handler)
    assert agent.invoke({"input": 1}) == 1


def test_handler_setting_may_name_a_member_of_an_export(ready):
    agent = ready("javascript", "exports.api = { run: (event) => event };", handler="main.api.run")
    assert agent.invoke({"input": 1}) == 1


def test_python_package_uses_relative_imports(ready):
    files = {"pkg/mod.py": "from .util import handler", "pkg/util.py": ECHO["python"]}
    assert ready("python", files, handler="pkg.mod.handler").invoke({"input": 1}) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b' {"parameters": {}} '], ids=repr)
def test_absent_input_is_null_and_absent_parameters_are_empty(ready, language, body):
    code = {
        "python": "def handler(event, context): return [event, context.parameters]",
        "javascript": "exports.handler = (event, context) => [event, context.parameters];",
    }[language]
    assert ready(language, code).invoke(body) == [None, {}]


def test_input_and_parameters_reach_the_handler(ready, language):
    code = {
        "python": "def handler(event, context): return [event, context.parameters]",
        "javascript": "exports.handler = (event, context) => [event, context.parameters];",
    }[language]
    body = {"input": {"a": [1, 2.5, None, True, "é\u0000\U0001f600"]}, "parameters": {"b": "c"}}
    assert ready(language, code).invoke(body) == [body["input"], body["parameters"]]


def test_context_has_the_fields_of_lambda(ready, language):
    code = {
        "python": """
def handler(event, context):
    return [context.aws_request_id, context.request_id, context.function_name, context.function_version,
            context.memory_limit_in_mb, context.traceparent]
""",
        "javascript": """
exports.handler = (event, context) => [context.awsRequestId, context.requestId, context.functionName,
    context.functionVersion, context.memoryLimitInMB, context.traceparent];
""",
    }[language]
    agent = ready(language, code)
    expected = [INVOCATION_ID, REQUEST_ID, "greet", "7", "128"]
    assert agent.invoke(traceparent="00-11-22-01") == [*expected, "00-11-22-01"]
    assert agent.invoke() == [*expected, None]


def test_remaining_time_falls_and_stays_above_zero(ready, language):
    code = {
        "python": """
import time
def handler(event, context):
    before = context.get_remaining_time_in_millis()
    time.sleep(0.05)
    return [before, context.get_remaining_time_in_millis()]
""",
        "javascript": """
exports.handler = async (event, context) => {
    const before = context.getRemainingTimeInMillis();
    await new Promise((resolve) => setTimeout(resolve, 50));
    return [before, context.getRemainingTimeInMillis()];
};
""",
    }[language]
    agent = ready(language, code)
    before, after = agent.invoke(remaining_ms=1000)
    assert 900 < before <= 1000 and 0 < after <= before - 45
    assert agent.invoke(remaining_ms=20)[1] == 0


def test_environment_is_set_before_the_module_is_loaded(ready, language):
    code = {
        "python": """
import os, time
SEEN = [os.environ["GREETING"], time.strftime("%H", time.gmtime(0)), time.strftime("%H", time.localtime(0))]
def handler(event, context): return SEEN
""",
        "javascript": """
const seen = [process.env.GREETING, '00', String(new Date(0).getHours()).padStart(2, '0')];
exports.handler = () => seen;
""",
    }[language]
    agent = ready(language, code, environment={"GREETING": "grüß", "TZ": "Etc/GMT-5"})
    assert agent.invoke() == ["grüß", "00", "05"]


def test_current_directory_is_the_functions(ready, language, tmp_path):
    code = {
        "python": "import os, sys\ndef handler(event, context): return [os.getcwd(), sys.path[0]]",
        "javascript": "exports.handler = () => [process.cwd(), __dirname];",
    }[language]
    assert ready(language, code).invoke() == [str(tmp_path)] * 2


def test_nothing_is_written_to_the_functions_directory(ready, language, tmp_path):
    files = {
        "python": {"main.py": "import util\n" + ECHO["python"], "util.py": ""},
        "javascript": {"main.js": "require('./util');" + ECHO["javascript"], "util.js": ""},
    }[language]
    ready(language, files).invoke()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)


def test_state_lasts_from_one_invocation_to_the_next(ready, language):
    code = {
        "python": "calls = []\ndef handler(event, context):\n calls.append(event)\n return calls",
        "javascript": "const calls = [];\nexports.handler = (event) => { calls.push(event); return calls; };",
    }[language]
    agent = ready(language, code)
    agent.invoke({"input": 1})
    assert agent.invoke({"input": 2}) == [1, 2]


def test_python_async_handlers_share_one_loop(ready):
    code = """
import asyncio
queue = asyncio.Queue()
async def handler(event, context):
    if event == "take":
        return await queue.get()
    asyncio.get_running_loop().call_soon(queue.put_nowait, event)
"""
    agent = ready("python", code)
    agent.invoke({"input": "left"})
    assert agent.invoke({"input": "take"}) == "left"


def test_python_handler_may_run_its_own_loop(ready):
    code = """
import asyncio
async def work(event): return event
def handler(event, context): return asyncio.run(work(event))
"""
    agent = ready("python", code)
    assert [agent.invoke({"input": 1}), agent.invoke({"input": 2})] == [1, 2]


def test_only_the_first_answer_of_an_invocation_counts(ready):
    code = """
let late;
exports.handler = (event, context, done) => {
    if (late) late(new Error('too late'));
    late = done;
    done(null, event);
    done(null, 'again');
    if (event === 1) throw new Error('after the answer');
};
"""
    agent = ready("javascript", code)
    assert [agent.invoke({"input": 1}), agent.invoke({"input": 2})] == [1, 2]


def test_async_leftovers_run_on_and_are_not_taken_for_an_answer(ready):
    code = """
let ran = 0;
exports.handler = async (event) => { setTimeout(() => { ran++; }, 1); return event; };
exports.handler = ((inner) => async (event) => (event === 'ran' ? ran : inner(event)))(exports.handler);
"""
    agent = ready("javascript", code)
    assert agent.invoke({"input": 1}) == 1
    while agent.invoke({"input": "ran"}) != 1:
        pass


@pytest.mark.parametrize(
    "language, code",
    [
        ("python", "def handler(event, context): pass"),
        ("javascript", "exports.handler = () => {};"),
        ("javascript", "exports.handler = async () => undefined;"),
        ("javascript", "exports.handler = (event, context, done) => done();"),
        ("javascript", "exports.handler = () => () => 1;"),
        ("javascript", "exports.handler = () => NaN;"),
    ],
)
def test_nothing_returned_is_null(ready, language, code):
    assert ready(language, code).invoke() is None


def test_thenable_is_awaited(ready):
    assert ready("javascript", "exports.handler = (event) => ({ then: (done) => done(event) });").invoke({"input": 1}) == 1


def test_lone_surrogates_come_back_as_escapes(ready, language):
    agent = ready(language, ECHO[language])
    agent.send(invoke_frame(b'{"input": "\\ud83d|\\ude00|\\ud83d\\ude00"}'))
    kind, payload = agent.receive()
    assert kind == RESULT
    assert payload.decode().partition("\n")[2].lower() in (
        '"\\ud83d|\\ude00|\\ud83d\\ude00"',
        '"\\ud83d|\\ude00|\U0001f600"',
    )


def test_every_runtime_says_what_it_is():
    for path in RUNTIMES.glob("*/runtime.json"):
        runtime = json.loads(path.read_text())
        assert runtime["language"] == path.parent.name
        assert runtime["source_file"].startswith("main.")
        assert runtime["default_handler"] == "main.handler"
        versions = {one["version"]: one for one in runtime["versions"]}
        assert runtime["default_version"] in versions
        for name, version in versions.items():
            assert version["image"] == f"berth-{path.parent.name}:{name}"
            assert (path.parent / "image" / name).exists()
        assert 64 <= runtime["min_memory_mb"] <= 3008
        assert 0 <= runtime.get("own_memory_mb", 0) <= 64
