"""What goes wrong in an invocation, and that the next one works."""

import json

import pytest

from conftest import ERROR, INVOCATION_ID, invoke_frame


def test_exception_is_an_error_with_the_functions_frames_only(ready, language, tmp_path):
    code = {
        "python": """
def inner(event):
    raise LookupError("no " + event)
def handler(event, context):
    return inner(event) if event else "fine"
""",
        "javascript": """
function inner(event) {
    throw new RangeError('no ' + event);
}
exports.handler = (event) => (event ? inner(event) : 'fine');
""",
    }[language]
    agent = ready(language, code)
    error = agent.invoke_error({"input": "cheese"})
    assert error["invocation_id"] == INVOCATION_ID
    assert error["kind"] == "function"
    assert error["type"] == {"python": "LookupError", "javascript": "RangeError"}[language]
    assert error["message"] == "no cheese"
    assert len(error["stack"]) == 2 and "inner" in error["stack"][0]
    assert all(str(tmp_path) in line for line in error["stack"])
    assert agent.invoke() == "fine"


@pytest.mark.parametrize(
    "language, code",
    [
        ("python", "import asyncio\nasync def handler(e, c):\n await asyncio.sleep(0)\n raise ValueError('later')"),
        ("javascript", "exports.handler = async () => { await 1; throw new Error('later'); };"),
        ("javascript", "exports.handler = (e, c, done) => { setTimeout(() => done(new Error('later')), 1); };"),
        ("javascript", "exports.handler = (e, c, done) => done('later');"),
        ("javascript", "exports.handler = () => Promise.reject(new Error('later'));"),
    ],
)
def test_later_failure_is_an_error(ready, language, code):
    agent = ready(language, code)
    for _ in range(2):
        error = agent.invoke_error()
        assert (error["kind"], error["message"]) == ("function", "later")
        assert not any("agent." in line or "asyncio" in line for line in error["stack"])


def test_cause_is_in_the_stack(ready, language):
    code = {
        "python": "def handler(e, c):\n try: 1 / 0\n except ArithmeticError as e: raise ValueError('outer') from e",
        "javascript": "exports.handler = () => { throw new Error('outer', { cause: new RangeError('inner') }); };",
    }[language]
    error = ready(language, code).invoke_error()
    assert error["message"] == "outer"
    assert any(line.startswith("Caused by ") for line in error["stack"])


@pytest.mark.parametrize(
    "language, code, type_name",
    [
        ("python", "raise KeyboardInterrupt()", "KeyboardInterrupt"),
        ("python", "import asyncio; raise asyncio.CancelledError()", "CancelledError"),
        ("python", "return handler(event, context)", "RecursionError"),
        ("python", "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()", "E"),
        ("javascript", "const f = () => f(); f();", "RangeError"),
        ("javascript", "throw null;", "object"),
        ("javascript", "throw 'text';", "string"),
        ("javascript", "throw { code: 1 };", "object"),
        ("javascript", "throw Object.create(Error.prototype, { stack: { get() { throw 1; } } });", "Error"),
        ("javascript", "throw new (class Custom extends Error {})();", "Custom"),
        ("javascript", "throw require('node:vm').runInNewContext('new RangeError(\"no\")');", "RangeError"),
        ("javascript", "throw { name: 'Custom', message: 'no', stack: 'Custom: no' };", "Custom"),
        ("javascript", "global.Error = class {}; throw new RangeError('no');", "RangeError"),
        ("javascript", "global.Error = function () {}; null.x;", "TypeError"),
    ],
)
def test_whatever_is_thrown_is_an_error_and_the_next_invocation_works(ready, language, code, type_name):
    code = {
        "python": f"def handler(event, context):\n if event: return event\n {code}",
        "javascript": f"exports.handler = (event) => {{ if (event) return event; {code} }};",
    }[language]
    agent = ready(language, code)
    error = agent.invoke_error()
    assert (error["kind"], error["type"]) == ("function", type_name)
    assert agent.invoke({"input": 1}) == 1


@pytest.mark.parametrize(
    "language, code",
    [
        ("python", "return float('nan')"),
        ("python", "return [float('inf')]"),
        ("python", "return {1, 2}"),
        ("python", "return b'bytes'"),
        ("python", "a = []; a.append(a); return a"),
        ("python", "return {(1, 2): 3}"),
        ("python", "a = []\n for _ in range(100000): a = [a]\n return a"),
        ("python", "import decimal; return decimal.Decimal('NaN')"),
        ("javascript", "return 1n;"),
        ("javascript", "const a = {}; a.a = a; return a;"),
        ("javascript", "return { toJSON() { throw new Error('no'); } };"),
        ("javascript", "let a = []; for (let i = 0; i < 100000; i++) a = [a]; return a;"),
    ],
)
def test_output_that_json_cannot_say_is_invalid_output(ready, language, code):
    code = {
        "python": f"def handler(event, context):\n if event: return event\n {code}",
        "javascript": f"exports.handler = (event) => {{ if (event) return event; {code} }};",
    }[language]
    agent = ready(language, code)
    error = agent.invoke_error()
    assert error["kind"] == "invalid_output", error
    assert "cannot be written as JSON: " in error["message"]
    assert agent.invoke({"input": 1}) == 1


def test_output_up_to_the_limit_is_a_result_and_above_it_an_error(ready, language):
    code = {
        "python": "def handler(event, context): return 'x' * event",
        "javascript": "exports.handler = (event) => 'x'.repeat(event);",
    }[language]
    agent = ready(language, code, limits={"response_bytes": 1000})
    assert agent.invoke({"input": 998}) == "x" * 998
    error = agent.invoke_error({"input": 999})
    assert (error["kind"], error["size_bytes"]) == ("response_too_large", 1001)
    assert "1000" in error["message"]
    assert agent.invoke({"input": 1}) == "x"


def test_error_is_bounded_whatever_the_function_throws(ready, language):
    code = {
        "python": r"""
def dive(n): return dive(n - 1) if n else fail()
def fail(): raise ValueError("\x01\0é\U0001f600" * (1 << 20))
def handler(event, context): dive(500)
""",
        "javascript": r"""
Error.stackTraceLimit = 1000;
const dive = (n) => (n ? dive(n - 1) : fail());
const fail = () => { throw new Error('\x01\0é\u{1f600}'.repeat(1 << 20)); };
exports.handler = () => dive(500);
""",
    }[language]
    agent = ready(language, code)
    agent.send(invoke_frame())
    kind, payload = agent.receive()
    assert kind == ERROR and len(payload) <= 64 << 10
    error = json.loads(payload)
    assert 8000 < len(error["message"].encode()) <= 8 << 10
    assert len(error["stack"]) == 64 and "fail" in error["stack"][0]


def test_error_whose_escapes_would_not_fit_loses_its_stack(ready, language):
    code = {
        "python": r"""
def handler(event, context):
    try: raise ValueError("\x01" * 600)
    except ValueError as error: cause = error
    for _ in range(40):
        try: raise ValueError("\x01" * 8192) from cause
        except ValueError as error: cause = error
    raise cause
""",
        "javascript": r"""
exports.handler = () => {
    let cause;
    for (let i = 0; i < 40; i++) cause = new Error('\x01'.repeat(8192), { cause });
    throw cause;
};
""",
    }[language]
    agent = ready(language, code)
    agent.send(invoke_frame())
    kind, payload = agent.receive()
    error = json.loads(payload)
    assert kind == ERROR and len(payload) <= 64 << 10
    assert len(error["message"]) == 8192 and error["stack"] == []


def test_error_has_neither_lone_surrogates_nor_nul(ready, language):
    code = {
        "python": r"def handler(event, context): raise ValueError('a\ud83d\0b')",
        "javascript": r"exports.handler = () => { throw new Error('a\ud83d\0b'); };",
    }[language]
    agent = ready(language, code)
    agent.send(invoke_frame())
    kind, payload = agent.receive()
    message = json.loads(payload)["message"]
    message.encode()
    assert message[0] == "a" and message[-1] == "b" and "\0" not in message


@pytest.mark.parametrize("code", [0, 3])
def test_exit_in_an_invocation_ends_the_process_with_a_complete_log(ready, language, code):
    source = {
        "python": f"import sys\ndef handler(event, context):\n print('x' * 300000)\n sys.exit({code})",
        "javascript": f"exports.handler = () => {{ console.log('x'.repeat(300000)); process.exit({code}); }};",
    }[language]
    agent = ready(language, source)
    agent.send(invoke_frame())
    assert agent.wait_exit() == code
    assert agent.log == b"x" * 300000 + b"\n"


@pytest.mark.parametrize(
    "code, message",
    [
        ("setTimeout(() => { throw new Error('lost'); }, 1);", "lost"),
        ("Promise.reject(new Error('lost'));", "lost (is an await missing?)"),
    ],
)
def test_exception_nobody_handles_is_an_error_and_ends_the_process(ready, code, message):
    source = f"exports.handler = () => {{ console.log('before'); {code} return new Promise(() => {{}}); }};"
    agent = ready("javascript", source)
    error = agent.invoke_error()
    assert (error["kind"], error["message"], error["exiting"]) == ("function", message, True)
    assert agent.wait_exit() == 1
    assert agent.log.startswith(b"before\n") and agent.log.count(b"\n") == 2 and b"lost" in agent.log


def test_exception_between_invocations_is_in_the_log_and_ends_the_process(ready):
    code = "exports.handler = (event) => { setTimeout(() => { throw new Error('lost'); }, 1); return event; };"
    agent = ready("javascript", code)
    assert agent.invoke({"input": 1}) == 1
    assert agent.wait_exit() == 1
    assert b"Error: lost" in agent.log


def test_rejection_the_function_handles_itself_is_left_to_it(ready):
    code = """
let seen = 0;
process.on('unhandledRejection', () => { seen++; });
exports.handler = async () => {
    Promise.reject(new Error('lost'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    return seen;
};
"""
    agent = ready("javascript", code)
    assert [agent.invoke(), agent.invoke()] == [1, 2]


def test_an_error_of_another_realm_has_its_message_and_stack(ready):
    code = "const vm = require('node:vm');\nexports.handler = async () => vm.runInNewContext('const f = () => { throw new TypeError(\"no\"); }; f()');"
    error = ready("javascript", code).invoke_error()
    assert (error["type"], error["message"]) == ("TypeError", "no")
    assert "at f (evalmachine" in error["stack"][0]
    code = "exports.handler = async () => { throw { name: 'Odd', message: 'no', stack: 'Odd: no\\n    at somewhere (x.js:1:1)', code: 3 }; };"
    error = ready("javascript", code).invoke_error()
    assert (error["type"], error["message"], error["stack"]) == ("Odd", "no", ["at somewhere (x.js:1:1)"])


TAMPERING = {
    "toJSON that throws": ("Object.prototype.toJSON = () => { throw new Error('tampered'); };", "invalid_output"),
    "toJSON that lies": ("Object.prototype.toJSON = () => 'lie';", "lie"),
    "toJSON of arrays": ("Array.prototype.toJSON = () => { throw new Error('tampered'); };", "invalid_output"),
    "toJSON of strings": ("String.prototype.toJSON = () => { throw new Error('tampered'); };", None),
    "push": ("Array.prototype.push = () => { throw new Error('tampered'); };", None),
    "a push that does nothing": ("Array.prototype.push = () => 0;", None),
    "methods of arrays": (
        "for (const name of ['map', 'join', 'filter', 'slice', 'every', 'includes', 'shift']) "
        "Array.prototype[name] = () => { throw new Error('tampered'); };",
        None,
    ),
    "iteration": ("Array.prototype[Symbol.iterator] = () => { throw new Error('tampered'); };", None),
    "methods of strings": (
        "for (const name of ['replaceAll', 'split', 'includes', 'startsWith', 'trim', 'slice']) "
        "String.prototype[name] = () => { throw new Error('tampered'); };",
        None,
    ),
    "then that throws": ("Promise.prototype.then = () => { throw new Error('tampered'); };", "tampered"),
    "then that does nothing": ("Promise.prototype.then = () => {};", "NeverSettled"),
    "methods of functions": ("Function.prototype.call = Function.prototype.bind = Function.prototype.apply = null;", None),
    "expressions": ("RegExp.prototype.exec = RegExp.prototype.test = () => { throw new Error('tampered'); };", None),
    "buffers": ("Buffer.prototype.toString = Buffer.prototype.write = Uint8Array.prototype.subarray = null;", None),
    "dates": ("Date.prototype.toISOString = null; global.Date = null;", None),
    "stacks": ("Error.prepareStackTrace = () => { throw new Error('tampered'); };", None),
    "names of errors": ("Object.defineProperty(RangeError.prototype, 'name', { get() { throw new Error('tampered'); } });", None),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_who_tampers_with_prototypes_harms_only_its_own_answers(ready, case):
    damage, outcome = TAMPERING[case]
    code = """
exports.handler = async (event) => {
    if (event === 'tamper') { %s }
    if (event === 'fail') throw new RangeError('on purpose');
    return { list: ['a', 1, null] };
};
""" % damage
    agent = ready("javascript", code)
    good = {"list": ["a", 1, None]}
    assert agent.invoke() == good
    for event in ("tamper", "again"):
        agent.send(invoke_frame({"input": event}))
        kind, payload = agent.receive()
        meta, _, output = payload.partition(b"\n")
        meta = json.loads(meta)
        assert meta["invocation_id"] == INVOCATION_ID
        if kind == ERROR:
            assert outcome in (meta["kind"], meta["message"], meta["type"]), meta
        else:
            assert json.loads(output) == (outcome or good)
    if outcome not in ("tampered", "NeverSettled"):
        error = agent.invoke_error({"input": "fail"})
        assert error["message"] == "on purpose" or case == "names of errors", error
