"""How the JavaScript agent waits for frames: in a blocking read, unless the function has left something that goes on meanwhile."""

import os
import select
import signal
import time

import pytest

from conftest import ERROR, FRAME_TIMEOUT_S, INVOKE, READY, RESULT, frame, init_frame, invoke_frame

READ_BYTES = 64 << 10  # of the agent


def waits_in(agent):
    """Once its first thread sleeps in a system call for a descriptor: "read" of a socket, or "loop"."""
    deadline = time.monotonic() + FRAME_TIMEOUT_S
    proc = f"/proc/{agent.process.pid}"
    while time.monotonic() < deadline:
        with open(f"{proc}/syscall") as file:
            fields = file.read().split()
        try:
            target = os.readlink(f"{proc}/fd/{int(fields[1], 16)}")
        except (IndexError, OSError):  # it runs, or sleeps for something else
            continue
        if target.startswith("socket:"):
            return "read"
        if target == "anon_inode:[eventpoll]":
            return "loop"
    raise AssertionError("it does not wait for a descriptor")


def wait_for_log(agent, text):
    deadline = time.monotonic() + FRAME_TIMEOUT_S
    while text not in agent.log:
        ready, _, _ = select.select(list(agent.streams), [], [], max(0, deadline - time.monotonic()))
        assert ready, agent.log
        agent.drain_log()


def wait_for_rehearsal(agent):
    deadline = time.monotonic() + FRAME_TIMEOUT_S
    while waits_in(agent) != "read":  # before, it is in the event loop
        assert time.monotonic() < deadline


NOTHING_LEFT = {
    "an async function": "exports.handler = async (event) => event;",
    "promises": "exports.handler = async (event) => { for (let i = 0; i < 9; i++) await i; return event; };",
    "data": "exports.handler = (event) => event;",
    "a callback": "exports.handler = (event, context, done) => done(null, event);",
    "context.succeed": "exports.handler = (event, context) => context.succeed(event);",
    "a promise job": "exports.handler = (event, context, done) => { Promise.resolve().then(() => done(null, event)); };",
    "prints": "console.log('a'); console.error('b');\n"
    "exports.handler = (event) => { console.log('a'); console.error('b'); console.table([1]); process.stdout.write('c\\n'); return event; };",
}
FILES = {
    **{name: {"main.js": code} for name, code in NOTHING_LEFT.items()},
    "an ES module": {"main.mjs": "import { f } from './f.mjs'; export const handler = f;", "f.mjs": "export const f = (event) => event;"},
    "an ES module that has read a file": {
        "main.mjs": "import { readFile } from 'node:fs/promises';\nawait readFile('main.mjs'); export const handler = (event) => event;"
    },
}


@pytest.mark.parametrize("case", FILES)
def test_an_agent_with_nothing_left_waits_in_a_read(ready, case):
    agent = ready("javascript", FILES[case], log_levels=True)
    for number in range(3):
        assert agent.invoke({"input": number}) == number
        assert waits_in(agent) == "read"


def test_an_agent_waits_in_a_read_after_errors(ready):
    agent = ready("javascript", "exports.handler = () => { throw new Error('refused'); };")
    for _ in range(2):
        assert agent.invoke_error()["message"] == "refused"
        assert waits_in(agent) == "read"


def test_the_rehearsal_leaves_nothing_to_the_function(boot):
    code = """
console.log(JSON.stringify([process.cwd(), process.env.AWS_LAMBDA_FUNCTION_NAME, process.env._HANDLER]));
exports.handler = async (event, context) => [event, context.functionName, context.getRemainingTimeInMillis() > 2000];
"""
    agents = [boot("javascript", {"main.js": code}) for _ in range(2)]
    wait_for_rehearsal(agents[1])
    logs = []
    for agent in agents:
        agent.send(init_frame())
        agent.expect(READY)
        assert agent.invoke({"input": 1}) == [1, "greet", True]
        logs.append(agent.log)
    assert logs[0] == logs[1]
    assert b'"greet","main.handler"]' in logs[0]


def test_an_agent_ends_well_when_the_host_closes_before_init(boot):
    agent = boot("javascript", "")
    wait_for_rehearsal(agent)
    agent.control.close()
    assert agent.process.wait(FRAME_TIMEOUT_S) == 0


def test_a_function_that_comes_during_the_rehearsal_is_served(boot):
    data = init_frame() + invoke_frame({"input": 1})
    for delay_ms in range(30, 80, 2):  # from HELLO; the rehearsal begins after 50
        agent = boot("javascript", NOTHING_LEFT["an async function"])
        assert select.select([agent.control], [], [], delay_ms / 1000) == ([], [], [])
        agent.send(data)
        agent.expect(READY)
        assert agent.expect(RESULT) == 1
        agent.close()


@pytest.mark.parametrize("cut", [1, 4, 5, 100, -1])
def test_a_function_that_comes_in_pieces_around_the_rehearsal_is_served(boot, cut):
    agent = boot("javascript", NOTHING_LEFT["an async function"])
    data = init_frame()
    agent.send(data[:cut])
    assert select.select([agent.control], [], [], 0.15) == ([], [], [])
    agent.send(data[cut:] + invoke_frame({"input": 1}))
    agent.expect(READY)
    assert agent.expect(RESULT) == 1


def test_after_a_promise_that_nothing_can_settle_the_agent_reads_again(ready):
    agent = ready("javascript", "exports.handler = (event) => (event ? new Promise(() => {}) : undefined);")
    for _ in range(2):
        assert agent.invoke_error({"input": 1})["type"] == "NeverSettled"
        assert agent.invoke() is None
        assert waits_in(agent) == "read"


# Each leaves work that prints when no frame comes.
LEFT = {
    "a timer": "setTimeout(late, 50);",
    "a timer without reference": "setTimeout(late, 50).unref();",
    "a timer that starts another": "setTimeout(() => setTimeout(late, 20), 20);",
    "a promise of a timer without reference": "require('node:timers/promises').setTimeout(50, 0, { ref: false }).then(late);",
    "a signal that times out": "AbortSignal.timeout(50).onabort = late;",
    "an immediate": "setImmediate(() => setImmediate(late));",
    "a tick": "process.nextTick(() => setTimeout(late, 20));",
    "a promise job": "Promise.resolve().then(() => Promise.resolve()).then(() => setTimeout(late, 20));",
    "a file to read": "require('node:fs').readFile(__filename, late);",
    "a promise of a file": "require('node:fs/promises').readFile(__filename).then(late);",
    "a stream": "require('node:fs').createReadStream(__filename).on('end', late).resume();",
    "a file that is watched": "const file = '/tmp/berth-watched-' + process.pid, fs = require('node:fs'); fs.writeFileSync(file, '');\n"
    "fs.watch(file, { persistent: false }).on('change', late).unref();\n"
    "require('node:child_process').exec(`echo >${file}; rm ${file}`).unref();",
    "compression": "require('node:zlib').gzip('x', late);",
    "a key": "require('node:crypto').pbkdf2('x', 'y', 1000, 8, 'sha1', late);",
    "a key of the web": "require('node:crypto').webcrypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt']).then(late);",
    "a name to look up": "require('node:dns').lookup('localhost', late);",
    "a child": "require('node:child_process').spawn('true').on('close', late);",
    "a child without reference": "const child = require('node:child_process').spawn('true', { stdio: 'ignore' }); child.on('exit', late).unref();",
    "a worker": "const { Worker } = require('node:worker_threads');\n"
    "new Worker(`require('node:worker_threads').parentPort.postMessage(1)`, { eval: true }).on('message', late).unref();",
    "a channel": "const { port1, port2 } = new MessageChannel(); port1.on('message', late).unref(); port2.postMessage(1); port2.unref();",
    "a connection that is kept open": "const net = require('node:net'), path = '\\0berth-' + process.pid;\n"
    "const server = net.createServer((peer) => { peer.unref(); setTimeout(() => peer.end(), 50); }).listen(path).unref();\n"
    "net.connect(path).on('end', late).resume().unref();",
    "Atomics.waitAsync": "Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50).value.then(late);",
    "WebAssembly": "WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).then(late);",
}
RUN_LATE = "const late = () => console.log('late');\n"


@pytest.mark.parametrize("case", LEFT)
def test_what_is_left_behind_runs_without_a_frame(ready, case):
    code = f"{RUN_LATE}exports.handler = async (event) => {{ if (event) {{ {LEFT[case]} }} return event; }};"
    agent = ready("javascript", code)
    agent.invoke({"input": 0})
    assert waits_in(agent) == "read"
    agent.invoke({"input": 1})
    wait_for_log(agent, b"late\n")
    assert agent.invoke({"input": 0}) == 0


@pytest.mark.parametrize("case", LEFT)
def test_what_loading_has_left_behind_runs_without_a_frame(ready, case):
    agent = ready("javascript", f"{RUN_LATE}exports.handler = async () => 1;\n{{ {LEFT[case]} }}")
    wait_for_log(agent, b"late\n")
    assert agent.invoke() == 1


@pytest.mark.parametrize("case", LEFT)
def test_what_loading_an_es_module_has_left_behind_runs_without_a_frame(ready, case):
    require = "import { createRequire } from 'node:module';\nconst __filename = import.meta.filename ?? 'main.mjs';\n"
    require += "const require = createRequire(import.meta.url);\n"
    code = f"{require}{RUN_LATE}export const handler = async (event) => event;\n{{ {LEFT[case]} }}"
    agent = ready("javascript", {"main.mjs": code})
    wait_for_log(agent, b"late\n")
    assert agent.invoke({"input": 1}) == 1


def test_an_interval_runs_on_over_invocations(ready):
    agent = ready("javascript", "let n = 0; setInterval(() => n++, 1).unref(); exports.handler = async () => { console.log('called'); return n; };")
    before = agent.invoke()
    deadline = time.monotonic() + FRAME_TIMEOUT_S
    while agent.invoke() <= before + 3:
        assert time.monotonic() < deadline


def test_a_signal_that_the_function_handles_arrives_without_a_frame(ready):
    agent = ready("javascript", "process.on('SIGTERM', () => { console.log('late'); process.exit(7); }); exports.handler = () => 1;")
    agent.invoke()
    agent.process.send_signal(signal.SIGTERM)
    assert agent.wait_exit() == 7
    assert b"late" in agent.log


def test_a_signal_that_nobody_handles_ends_the_agent(ready):
    agent = ready("javascript", "exports.handler = () => 1;")
    agent.invoke()
    assert waits_in(agent) == "read"
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(FRAME_TIMEOUT_S) == -signal.SIGTERM


def test_a_rejection_left_behind_is_told_without_a_frame(ready):
    agent = ready("javascript", "exports.handler = async (event) => { if (event) Promise.reject(new Error('boom')); return 1; };")
    agent.invoke()
    agent.invoke({"input": 1})
    assert agent.wait_exit() == 1
    assert b"boom" in agent.log


def test_a_timer_counts_from_its_start_after_a_long_wait(ready):
    code = "exports.handler = async (ms) => { const start = performance.now(); await new Promise((go) => setTimeout(go, ms));\n"
    agent = ready("javascript", code + "return performance.now() - start; };")
    agent.invoke({"input": 0})
    assert select.select([agent.control], [], [], 0.2) == ([], [], [])
    assert agent.invoke({"input": 100}) > 90


ECHO = "exports.handler = async (event) => event;"


def test_a_frame_may_come_in_pieces_while_the_agent_reads(ready):
    agent = ready("javascript", ECHO)
    agent.invoke()
    data = invoke_frame({"input": "é"})
    for piece in (data[:3], data[3:5], data[5:6], data[6:-1], data[-1:]):
        assert waits_in(agent) == "read"
        agent.send(piece)
    assert agent.expect(RESULT) == "é"


@pytest.mark.parametrize("size", [READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 2 * READ_BYTES, 64 * READ_BYTES])
@pytest.mark.parametrize("code", [ECHO, "setInterval(() => {}, 1000);" + ECHO], ids=["read", "loop"])
def test_a_frame_may_have_any_size(ready, code, size):
    agent = ready("javascript", code)
    empty = invoke_frame({"input": ""})
    text = "x" * (size - len(empty))
    for _ in range(3):
        assert agent.invoke({"input": text}) == text


@pytest.mark.parametrize("size", [1 << 16, 2 << 16, 3 << 16])
def test_a_handler_that_waits_gets_a_frame_that_fills_the_buffer(ready, size):
    """While the handler waits, nobody reads from the socket in a way that blocks."""
    wait = "exports.handler = async (event) => { await new Promise((done) => setTimeout(done, 5)); return event.length; };"
    empty = invoke_frame({"input": ""})
    for _ in range(5):
        agent = ready("javascript", wait)
        assert agent.invoke({"input": "x" * (size - len(empty))}) == size - len(empty)


STORE = """
const { AsyncLocalStorage } = require('node:async_hooks');
const store = new AsyncLocalStorage();
%s
exports.handler = async (event) => {
    const before = store.getStore() ?? null;
    store.enterWith(event);
    return before;
};
"""


@pytest.mark.parametrize("loading", ["", "store.enterWith('loading');"], ids=["by an invocation", "while loading"])
def test_what_is_left_in_an_async_local_storage_is_not_there_in_the_next_invocation(ready, loading):
    agent = ready("javascript", STORE % loading)
    assert [agent.invoke({"input": n}) for n in range(5)] == [None] * 5


UNNUMBERED = "require('node:vm').runInNewContext('WebAssembly').compile(Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]))"


@pytest.mark.parametrize("way", [
    "exports.handler = async () => { await %s; return 1; };",
    "exports.handler = (event, context, callback) => { %s.then(() => callback(null, 1)); };",
], ids=["async", "callback"])  # fmt: skip
def test_work_that_has_no_number_is_waited_for(ready, way):
    agent = ready("javascript", way % UNNUMBERED)
    assert [agent.invoke() for _ in range(3)] == [1] * 3


def test_a_large_answer_passes_whole_while_the_host_does_not_read(ready):
    agent = ready("javascript", "exports.handler = async (event) => 'x'.repeat(event);")
    for size in (1, 5 << 20, 5 << 20):
        agent.send(invoke_frame({"input": size}))
        assert waits_in(agent)  # for the host
        assert agent.expect(RESULT) == "x" * size


@pytest.mark.parametrize("sent", [b"", invoke_frame()[:3], invoke_frame()[:-1]], ids=["between frames", "in a head", "in a payload"])
def test_the_end_of_the_connection_ends_an_agent_that_reads(ready, sent):
    agent = ready("javascript", ECHO)
    agent.invoke()
    agent.send(sent)
    assert waits_in(agent) == "read"
    agent.control.close()
    assert agent.process.wait(FRAME_TIMEOUT_S) == 0


def test_the_end_of_the_connection_ends_an_agent_whose_invocation_has_not_ended(ready):
    agent = ready("javascript", "exports.handler = (event) => (event ? new Promise((go) => setTimeout(go, 60000)) : 1);")
    agent.invoke()
    agent.send(invoke_frame({"input": 1}))
    assert waits_in(agent) == "loop"
    agent.control.close()
    assert agent.process.wait(FRAME_TIMEOUT_S) == 0


def test_invocations_in_one_read_are_served_one_after_the_other(ready):
    agent = ready("javascript", "exports.handler = async (ms) => { if (ms) await new Promise((go) => setTimeout(go, ms)); return ms; };")
    agent.invoke({"input": 0})
    for together in ([0, 0, 0], [0, 5, 0], [5, 0, 5]):
        agent.send(b"".join(invoke_frame({"input": ms}) for ms in together))
        assert [agent.expect(RESULT) for _ in together] == together


def test_garbage_ends_an_agent_that_reads(ready):
    agent = ready("javascript", ECHO)
    agent.invoke()
    assert waits_in(agent) == "read"
    agent.send(frame(INVOKE, b"{\n{}"))
    assert agent.wait_exit() == 1
    assert agent.log


def test_an_uncaught_error_ends_an_agent_that_reads(ready):
    agent = ready("javascript", "exports.handler = (event) => { if (event) queueMicrotask(() => { throw new Error('boom'); }); return new Promise(() => {}); };")
    agent.invoke_error()
    agent.send(invoke_frame({"input": 1}))
    error = agent.expect(ERROR)
    assert (error["message"], error["exiting"]) == ("boom", True)
    assert agent.wait_exit() == 1
