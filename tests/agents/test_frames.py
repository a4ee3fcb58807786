"""Frames that come in pieces, together, too large or wrong."""

import pytest

from conftest import INIT, INVOKE, READY, RESULT, frame, init_frame, invoke_frame

ECHO = {
    "python": "def handler(event, context): return event",
    "javascript": "exports.handler = (event) => event;",
}


def test_init_and_invocations_may_come_in_one_read(boot, language):
    agent = boot(language, ECHO[language])
    agent.send(init_frame() + invoke_frame({"input": 1}) + invoke_frame({"input": 2}))
    agent.expect(READY)
    assert [agent.expect(RESULT), agent.expect(RESULT)] == [1, 2]


def test_invocation_waits_for_a_slow_load(boot):
    code = "await new Promise((resolve) => setTimeout(resolve, 50)); export const handler = (event) => event;"
    agent = boot("javascript", code)
    agent.send(init_frame() + invoke_frame({"input": 1}))
    agent.expect(READY)
    assert agent.expect(RESULT) == 1


def test_second_invocation_waits_for_the_first(ready):
    code = "exports.handler = async (event) => { await new Promise((go) => setTimeout(go, event)); return event; };"
    agent = ready("javascript", code)
    agent.send(invoke_frame({"input": 30}) + invoke_frame({"input": 1}))
    assert [agent.expect(RESULT), agent.expect(RESULT)] == [30, 1]


def test_frame_may_come_byte_by_byte(boot, language):
    agent = boot(language, ECHO[language])
    for byte in init_frame() + invoke_frame({"input": "é"}):
        agent.send(bytes([byte]))
    agent.expect(READY)
    assert agent.expect(RESULT) == "é"


@pytest.mark.parametrize("piece_bytes", [60_000, 1 << 20, 16 << 20])
def test_large_input_and_output_pass_whole(ready, language, piece_bytes):
    agent = ready(language, ECHO[language], limits={"response_bytes": 16 << 20})
    text = "0123456789abcdef" * (6 << 16)
    for tail in ("a", "b"):
        data = invoke_frame({"input": text + tail})
        for start in range(0, len(data), piece_bytes):
            agent.send(data[start : start + piece_bytes])
        assert agent.expect(RESULT) == text + tail


def test_agent_ends_well_when_the_host_closes(boot, ready, language):
    for agent in (boot(language, ""), ready(language, ECHO[language])):
        agent.control.close()
        assert agent.process.wait(10) == 0


def test_agent_ends_well_when_the_host_closes_within_a_frame(ready, language):
    agent = ready(language, ECHO[language])
    agent.send(invoke_frame({"input": "x" * 1000})[:-1])
    agent.control.close()
    assert agent.process.wait(10) == 0


def test_leftover_thread_does_not_keep_the_agent_alive(ready):
    code = """
import threading, time
def handler(event, context): threading.Thread(target=time.sleep, args=(60,)).start()
"""
    agent = ready("python", code)
    agent.invoke()
    agent.control.close()
    assert agent.process.wait(10) == 0


GARBAGE = {
    "a length beyond all limits": b"\xff\xff\xff\xff\x05",
    "an invocation that does not start with JSON": frame(INVOKE, b"{\n{}"),
    "an empty invocation": frame(INVOKE, b""),
    "bytes that are not UTF-8": frame(INVOKE, b"\xff\xfe\n"),
    "a second init": init_frame(),
    "a type only agents send": frame(RESULT, b"{}"),
    "a type nobody sends": frame(200, b"{}"),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_ends_the_agent_with_a_reason_in_the_log(ready, language, garbage):
    agent = ready(language, ECHO[language])
    agent.send(GARBAGE[garbage])
    assert agent.wait_exit() == 1
    assert agent.log


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff"], ids=repr)
def test_garbage_instead_of_init_ends_the_agent(boot, language, payload):
    agent = boot(language, ECHO[language])
    agent.send(frame(INIT, payload))
    assert agent.wait_exit() == 1
    assert agent.log


def test_invocation_before_init_ends_the_agent(boot, language):
    agent = boot(language, ECHO[language])
    agent.send(invoke_frame())
    assert agent.wait_exit() == 1
