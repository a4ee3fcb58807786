"""Logs are complete, children stay out of the way, and the function's code does not break the agent by accident."""

import json
import select
import signal

import pytest

from conftest import ERROR, INVOCATION_ID, INVOKE, REQUEST_ID, RESULT, frame, invoke_frame


@pytest.mark.parametrize(
    "language, code",
    [
        ("python", "import sys\ndef handler(e, c):\n print('a', end='')\n sys.stderr.write('b')"),
        ("python", "import subprocess\ndef handler(e, c):\n subprocess.run('printf a; printf b >&2', shell=True)"),
        ("python", "import os, sys\ndef handler(e, c):\n print('a', end='', flush=True)\n os.write(2, b'b')"),
        ("javascript", "exports.handler = () => { process.stdout.write('a'); process.stderr.write('b'); };"),
        (
            "javascript",
            "exports.handler = () => { require('child_process').spawnSync('printf a; printf b >&2', "
            "{ shell: true, stdio: 'inherit' }); };",
        ),
        ("javascript", "exports.handler = async () => { process.stdout.write('a'); require('fs').writeSync(1, 'b'); };"),
    ],
)
def test_log_is_complete_when_the_result_comes(ready, language, code):
    agent = ready(language, code)
    for number in range(1, 6):
        agent.invoke()
        assert agent.log == b"ab" * number


def test_large_log_is_complete_when_the_result_comes(ready, language):
    code = {
        "python": "def handler(event, context):\n for _ in range(100): print('x' * 99999)",
        "javascript": "exports.handler = () => { for (let i = 0; i < 100; i++) console.log('x'.repeat(99999)); };",
    }[language]
    agent = ready(language, code)
    agent.invoke()
    assert len(agent.log) == 100 * 100000


def test_what_was_printed_before_a_kill_is_in_the_log(ready, language):
    code = {
        "python": "import time\ndef handler(event, context):\n print('before')\n time.sleep(60)",
        "javascript": "exports.handler = () => { console.log('before'); for (;;); };",
    }[language]
    agent = ready(language, code)
    agent.send(invoke_frame())
    select.select([agent.log_socket], [], [], 10)
    agent.drain_log()
    assert agent.log == b"before\n"
    agent.process.send_signal(signal.SIGKILL)
    assert agent.wait_exit() == -signal.SIGKILL


def test_output_with_lone_surrogates_can_be_printed(ready, language):
    code = {
        "python": r"def handler(event, context): print('a\ud83db')",
        "javascript": r"exports.handler = () => console.log('a\ud83db');",
    }[language]
    agent = ready(language, code)
    agent.invoke()
    assert agent.log.decode().startswith("a") and agent.log.endswith(b"b\n")


def test_children_do_not_inherit_the_control_socket(ready, language):
    code = {
        "python": """
import os, subprocess
def handler(event, context):
    subprocess.run("ls -l /proc/self/fd", shell=True, close_fds=False)
    return os.readlink("/proc/self/fd/3")
""",
        "javascript": """
exports.handler = () => {
    require('child_process').execSync('ls -l /proc/self/fd', { stdio: 'inherit' });
    return require('fs').readlinkSync('/proc/self/fd/3');
};
""",
    }[language]
    agent = ready(language, code)
    control = agent.invoke()
    assert control.startswith("socket:")
    assert b"socket:" in agent.log and control.encode() not in agent.log


def test_child_that_outlives_the_agent_does_not_hold_its_socket(ready):
    code = """
import os, time
def handler(event, context):
    if os.fork() == 0:
        time.sleep(60)
    if event: os._exit(3)
"""
    agent = ready("python", code)
    agent.send(invoke_frame({"input": 1}))
    assert agent.wait_exit() == 3


def test_forked_child_that_returns_from_the_handler_does_not_answer(ready):
    code = """
import os
def handler(event, context):
    child = os.fork()
    if child == 0:
        return "child"
    return os.waitpid(child, 0)[1]
"""
    agent = ready("python", code)
    assert [agent.invoke(), agent.invoke()] == [0, 0]
    assert agent.log == b""


def test_python_multiprocessing_works(ready):
    code = """
import multiprocessing
def double(number): return number * 2
def handler(event, context):
    with multiprocessing.get_context(event).Pool(2) as pool:
        return pool.map(double, [1, 2, 3])
"""
    agent = ready("python", code)
    for method in ("fork", "spawn"):
        assert agent.invoke({"input": method}) == [2, 4, 6]


VANDALISM = {
    "python replaces stdout": ("python", "import io, sys; sys.stdout = io.StringIO()"),
    "python deletes stdout": ("python", "import sys; sys.__dict__.pop('stdout', 0)"),
    "python sets stdout to nothing": ("python", "import sys; sys.stdout = sys.stderr = None"),
    "python closes stdout": ("python", "import sys; sys.stdout.close(); sys.stderr.close()"),
    "python patches json": ("python", "import json; json.loads = json.dumps = json.JSONEncoder = json.decoder = None"),
    "python patches os": ("python", "import os; os.read = os.write = os.readv = os._exit = None"),
    "python patches time": ("python", "import time; time.monotonic = time.time = lambda: 'noon'"),
    "python forgets modules": ("python", "import sys; sys.modules.pop('json', 0); sys.modules.pop('os', 0)"),
    "python empties sys.path": ("python", "import sys; sys.path.clear()"),
    "python clears the environment": ("python", "import os; os.environ.clear()"),
    "python changes the directory": ("python", "import os; os.chdir('/')"),
    "python has a module of its own called json": ("python", "import sys; sys.modules['json'] = sys"),
    "javascript replaces JSON": ("javascript", "global.JSON = undefined;"),
    "javascript patches JSON": ("javascript", "JSON.parse = JSON.stringify = () => 'no';"),
    "javascript patches console": ("javascript", "console.log = console.error = undefined;"),
    "javascript patches stdout": ("javascript", "process.stdout.write = process.stderr.write = () => { throw 1; };"),
    "javascript ends stdout": ("javascript", "process.stdout.end();"),
    "javascript patches fs": ("javascript", "const fs = require('fs'); fs.writeSync = fs.readFileSync = null;"),
    "javascript patches Buffer": ("javascript", "Buffer.concat = Buffer.from = Buffer.byteLength = null;"),
    "javascript replaces globals": ("javascript", "global.Buffer = global.Promise = global.performance = undefined;"),
    "javascript patches process": ("javascript", "process.exit = null; process.env = {};"),
    "javascript patches timers": ("javascript", "global.setTimeout = global.setImmediate = global.queueMicrotask = null;"),
    "javascript changes the directory": ("javascript", "process.chdir('/');"),
}


@pytest.mark.parametrize("when", ["at load", "in an invocation"])
@pytest.mark.parametrize("case", VANDALISM)
def test_function_does_not_break_the_agent_by_accident(ready, case, when):
    language, damage = VANDALISM[case]
    at_load, inside = (damage, "") if when == "at load" else ("", damage)
    code = {
        "python": f"""
{at_load}
def handler(event, context):
    {inside}
    if event == "fail": raise ValueError("on purpose")
    return [event, context.get_remaining_time_in_millis() > 0]
""",
        "javascript": f"""
{at_load}
exports.handler = async (event, context) => {{
    {inside}
    if (event === 'fail') throw new RangeError('on purpose');
    return [event, context.getRemainingTimeInMillis() > 0];
}};
""",
    }[language]
    agent = ready(language, code)
    assert agent.invoke({"input": "x" * 100_000}) == ["x" * 100_000, True]
    assert agent.invoke_error({"input": "fail"})["message"] == "on purpose"
    assert agent.invoke({"input": 2}) == [2, True]
    agent.control.close()
    assert agent.process.wait(10) == 0


@pytest.mark.parametrize("name", ["token", "types_", "utils", "config", "logging", "string", "agent", "queue", "tokenize", "errors", "frames", "handler", "log"])
def test_python_module_may_be_called_like_one_of_the_library(ready, name):
    files = {"main.py": f"from {name} import value\ndef handler(e, c): return value", f"{name}.py": "value = 1"}
    agent = ready("python", files)
    assert agent.invoke() == 1


IDS = {
    "python": "def handler(e, c): return [c.invocation_id, c.request_id]",
    "javascript": "exports.handler = (e, c) => [c.invocationId ?? null, c.requestId];",
}


def test_an_answer_is_of_its_invocation_whatever_the_client_calls_its_request(ready, language):
    agent = ready(language, IDS[language])
    assert agent.invoke() == [INVOCATION_ID, REQUEST_ID]
    other = INVOCATION_ID.replace("77", "78")
    agent.send(invoke_frame(invocation_id=other))
    kind, payload = agent.receive()
    meta, _, output = payload.partition(b"\n")
    assert kind == RESULT and meta == f'{{"invocation_id":"{other}"}}'.encode()
    assert json.loads(output) == [other, REQUEST_ID]


def test_a_host_that_names_no_invocation_gets_its_answer_by_the_request(ready, language):
    agent = ready(language, IDS[language])
    before = json.dumps({"request_id": REQUEST_ID, "remaining_ms": 3000}).encode() + b"\n"
    agent.send(frame(INVOKE, before))
    kind, payload = agent.receive()
    meta, _, output = payload.partition(b"\n")
    assert kind == RESULT and meta == f'{{"request_id":"{REQUEST_ID}"}}'.encode()
    assert json.loads(output) == [None, REQUEST_ID]
    agent.send(frame(INVOKE, before + b"["))
    kind, payload = agent.receive()
    assert kind == ERROR and json.loads(payload)["request_id"] == REQUEST_ID
