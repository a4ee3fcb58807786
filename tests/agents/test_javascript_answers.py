"""When a JavaScript handler has answered, and with what."""

import time

import pytest

from conftest import ERROR, RESULT, invoke_frame

CALLBACKS = {
    "rest parameters": "exports.handler = (...args) => setTimeout(() => args[2](null, args[0]), 1);",
    "arguments": "exports.handler = function () { const done = arguments[2]; setTimeout(() => done(null, arguments[0]), 1); };",
    "a parameter with a default": "exports.handler = (event, context, done = null) => { setTimeout(done, 1, null, event); };",
    "a wrapper": "const inner = (event, context, done) => { setTimeout(done, 1, null, event); };\n"
    "exports.handler = (...args) => inner(...args);",
    "a timer returned": "exports.handler = (event, context, done) => setTimeout(done, 1, null, event);",
    "a value returned": "exports.handler = (event, context, done) => { setTimeout(done, 1, null, event); return 'ignored'; };",
    "an emitter returned": "const { EventEmitter } = require('node:events');\n"
    "exports.handler = (event, context) => { setTimeout(context.succeed, 1, event); return new EventEmitter(); };",
    "a request returned": "const http = require('node:http');\nexports.handler = (event, context) => "
    "http.get({ socketPath: '/nonexistent' }).on('error', () => context.succeed(event));",
    "context.succeed": "exports.handler = (event, context) => { setTimeout(() => context.succeed(event), 1); };",
    "context.done": "exports.handler = (event, context) => { setTimeout(() => context.done(null, event), 1); };",
    "context.done at once": "exports.handler = (event, context) => { context.done(null, event); return 'ignored'; };",
    "an async function that calls back": "exports.handler = async (event, context, done) => { done(null, event); return 'ignored'; };",
    "a promise job that calls back": "exports.handler = (event, context) => { Promise.resolve(event).then(context.succeed); };",
}


@pytest.mark.parametrize("style", CALLBACKS)
def test_a_callback_is_an_answer_however_the_handler_declares_it(ready, style):
    agent = ready("javascript", CALLBACKS[style])
    for number in range(2):
        assert agent.invoke({"input": number}) == number
    assert agent.log == b""


@pytest.mark.parametrize(
    "code, message",
    [
        ("(event, context) => { setTimeout(context.fail, 1, new Error('later')); }", "later"),
        ("(event, context) => { setTimeout(context.done, 1, 'later'); }", "later"),
        ("(event, context) => { context.fail(); }", "handled"),
        ("(...args) => { setTimeout(args[2], 1, new Error('later')); }", "later"),
    ],
)
def test_a_failure_is_an_error_however_it_is_told(ready, code, message):
    error = ready("javascript", f"exports.handler = {code};").invoke_error()
    assert (error["kind"], error["message"]) == ("function", message)


def test_an_answer_before_the_promise_leaves_nothing_to_the_next_invocation(ready):
    agent = ready("javascript", "exports.handler = async (event, context) => (event ? context.succeed(event) : new Promise(() => {}));")
    for _ in range(2):
        assert agent.invoke({"input": 1}) == 1
        assert agent.invoke_error()["type"] == "NeverSettled"
    assert agent.invoke({"input": 2}) == 2


NOTHING_LEFT = {
    "nothing": ("() => {}", None),
    "nothing of a handler with a callback": ("(event, context, done) => {}", None),
    "null": ("() => null", None),
    "the value of a handler with a callback": ("(event, context, done) => 1", None),
    "data": ("() => ({ a: [1] })", {"a": [1]}),
    "a date": ("() => new Date(0)", "1970-01-01T00:00:00.000Z"),
    "an object of a class": ("() => new (class { a = 1; })()", {"a": 1}),
    "an object without prototype": ("() => Object.assign(Object.create(null), { a: 1 })", {"a": 1}),
    "an object of another realm": ("() => require('node:vm').runInNewContext('({ a: 1 })')", {"a": 1}),
    "nothing after a timer": ("() => { setTimeout(() => {}, 1); }", None),
    "nothing but a timer without reference": ("() => { setTimeout(() => {}, 60000).unref(); }", None),
}


@pytest.mark.parametrize("case", NOTHING_LEFT)
def test_when_nothing_is_left_to_wait_for_the_answer_comes_at_once(ready, case):
    code, output = NOTHING_LEFT[case]
    agent = ready("javascript", f"exports.handler = {code};")
    started = time.monotonic()
    for _ in range(3):
        assert agent.invoke() == output
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "code, value",
    [
        ("() => { setInterval(() => {}, 60000); return 1; }", 1),
        ("() => { setInterval(() => {}, 60000); return { a: 1 }; }", {"a": 1}),
        ("async () => { setInterval(() => {}, 60000); }", None),
        ("(event, context) => { setInterval(() => {}, 60000); context.succeed(1); }", 1),
        (
            "(event, context, done) => { setInterval(() => {}, 60000); context.callbackWaitsForEmptyEventLoop = false; done(null, 1); }",
            1,
        ),
    ],
)
def test_an_answer_that_does_not_wait_for_what_is_left(ready, code, value):
    agent = ready("javascript", f"exports.handler = {code};")
    assert [agent.invoke(), agent.invoke()] == [value, value]


def test_what_is_left_after_a_callback_finishes_first(ready):
    code = """
exports.handler = (event, context, done) => {
    const answer = { ran: 0 };
    done(null, answer);
    setTimeout(() => { answer.ran++; setTimeout(() => { answer.ran++; }, 1); }, 1);
};
"""
    agent = ready("javascript", code)
    assert [agent.invoke(), agent.invoke()] == [{"ran": 2}] * 2


def test_an_exception_after_a_callback_that_waits_is_the_outcome(ready):
    code = "exports.handler = (event, context, done) => { done(null, 1); setTimeout(() => { throw new Error('left'); }, 1); };"
    agent = ready("javascript", code)
    error = agent.invoke_error()
    assert (error["message"], error["exiting"]) == ("left", True)
    assert agent.wait_exit() == 1


@pytest.mark.parametrize(
    "code",
    [
        "() => new Promise(() => {})",
        "async () => { await new Promise(() => {}); }",
        "async () => { await new Promise((go) => setTimeout(go, 60000).unref()); }",
        "() => ({ then() {} })",
        "awslambda.streamifyResponse(async (event, stream) => { stream.write('never ended'); })",
    ],
)
def test_a_promise_that_nothing_can_settle_is_an_error_at_once(ready, code):
    agent = ready("javascript", f"let inner = {code};\nexports.handler = (event, ...rest) => event ?? inner(event, ...rest);")
    started = time.monotonic()
    error = agent.invoke_error()
    assert time.monotonic() - started < 2
    assert (error["kind"], error["type"], error["stack"]) == ("function", "NeverSettled", [])
    assert "nothing can settle" in error["message"]
    assert agent.invoke({"input": 1}) == 1


def test_a_top_level_await_that_nothing_can_settle_is_an_error_at_once(init_error):
    error = init_error("javascript", {"main.mjs": "await new Promise(() => {});\nexport const handler = () => {};"})
    assert (error["kind"], error["type"]) == ("exception", "NeverSettled")


def test_the_host_may_close_while_the_function_is_waited_for(ready):
    agent = ready("javascript", "exports.handler = () => new Promise((go) => setTimeout(go, 60000));")
    agent.send(invoke_frame())
    agent.control.close()
    assert agent.process.wait(10) == 0


def test_invocations_that_come_together_are_answered_in_turn(ready):
    code = "exports.handler = (event, context, done) => { if (event % 2) return event; done(null, event); };"
    agent = ready("javascript", code.replace("(event, context, done)", "(event, context, done = null)"))
    agent.send(b"".join(invoke_frame({"input": number}) for number in range(1, 6)))
    assert [agent.expect(RESULT) for _ in range(5)] == [1, 2, 3, 4, 5]


STREAMS = {
    "text": ("stream.write('a'); stream.end('b');", "ab"),
    "json": ("stream.setContentType('application/json'); stream.end(JSON.stringify({ a: 1 }));", {"a": 1}),
    "bytes": ("stream.end(Buffer.from([0xff]));", {"statusCode": 200, "body": "/w==", "isBase64Encoded": True}),
    "later": ("setTimeout(() => stream.end('later'), 1);", "later"),
    "a pipeline": (
        "await require('node:stream/promises').pipeline(require('node:stream').Readable.from(['a', 'b']), stream);",
        "ab",
    ),
    "http": (
        "stream = awslambda.HttpResponseStream.from(stream, { statusCode: 404, headers: { a: 'b' } }); stream.end('gone');",
        {"statusCode": 404, "headers": {"a": "b"}, "body": "gone", "isBase64Encoded": False},
    ),
}


@pytest.mark.parametrize("case", STREAMS)
def test_what_a_streaming_handler_writes_is_the_output(ready, case):
    code, output = STREAMS[case]
    agent = ready("javascript", f"exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {{ {code} }});")
    assert [agent.invoke(), agent.invoke()] == [output, output]


def test_a_streaming_handler_fails_as_any_other(ready):
    code = "exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('a'); throw new RangeError('no'); });"
    error = ready("javascript", code).invoke_error()
    assert (error["type"], error["message"], len(error["stack"])) == ("RangeError", "no", 1)
    agent = ready("javascript", "exports.handler = awslambda.streamifyResponse(() => 1);")
    agent.send(invoke_frame())
    kind, payload = agent.receive()
    assert kind == ERROR and b"must be async" in payload


LEFT_BEHIND = {
    "a rejection": "setImmediate(() => Promise.reject(new Error('late')));",
    "an exception": "setImmediate(() => { throw new Error('late'); });",
    "several of them": "for (let i = 0; i < 3; i++) setImmediate(() => Promise.reject(new Error('late')));",
}


@pytest.mark.parametrize("case", LEFT_BEHIND)
def test_a_large_answer_is_sent_whole_whatever_was_left_behind(ready, case):
    code = f"exports.handler = async () => {{ {LEFT_BEHIND[case]} return 'x'.repeat(3 << 20); }};"
    agent = ready("javascript", code)
    assert agent.invoke() == "x" * (3 << 20)
    assert agent.wait_exit() == 1
    assert b"left behind after its answer" in agent.log


def test_who_has_closed_does_not_keep_a_process_that_ends(ready):
    agent = ready("javascript", f"exports.handler = async () => {{ {LEFT_BEHIND['a rejection']} return 'x'.repeat(3 << 20); }};")
    agent.send(invoke_frame())
    agent.control.close()
    assert agent.process.wait(10) in (0, 1)
