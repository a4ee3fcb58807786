"""
Plays the host for one agent: a control socket as its descriptor 3, log sockets as 1 and 2.

The agents run on the interpreters of this machine, or on those that BERTH_PYTHON and BERTH_JAVASCRIPT name.
"""

import itertools
import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUNTIMES = Path(__file__).resolve().parents[2] / "runtimes"
FRAME_TIMEOUT_S = 10
MEMORY_LIMIT_MB = 128

HELLO, INIT, READY, INIT_ERROR, INVOKE, RESULT, ERROR = range(1, 8)
INVOCATION_ID = "0198c5d2-77aa-7b11-8c2d-3e4f5a6b7c8d"
REQUEST_ID = "6f1c2a34-0d5e-4b7a-9c88-1f2e3d4c5b6a"
LANGUAGES = {path.parent.name: json.loads(path.read_text()) for path in sorted(RUNTIMES.glob("*/runtime.json"))}

INTERPRETERS = {"python": sys.executable}  # the Python the tests were started with, whatever else is in PATH


def shared(argument, memory_limit_mb=MEMORY_LIMIT_MB):
    """An argument of the command with its share of the memory, as the host fills it in."""
    return re.sub(r"\{(\d+)% of memory_limit_mb\}", lambda found: str(memory_limit_mb * int(found[1]) // 100), argument)


class Closed(Exception):
    """The agent closed its end of the control socket."""


def frame(kind, payload):
    return len(payload).to_bytes(4, "big") + bytes([kind]) + payload


def init_frame(**settings):
    limits = {"memory_limit_mb": MEMORY_LIMIT_MB, "timeout_ms": 3000, "response_bytes": 6 << 20} | settings.pop("limits", {})
    function = {"id": "b0b3c1de-6d7c-4a7a-8b1c-5f0b8a1d2e3f", "name": "greet", "version": 7}
    settings = {"handler": "main.handler", "environment": {}, "function": function, "limits": limits} | settings
    return frame(INIT, json.dumps(settings).encode())


def invoke_frame(body=b"", request_id=REQUEST_ID, **meta):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    meta = {"invocation_id": INVOCATION_ID, "request_id": request_id, "remaining_ms": 3000} | meta
    return frame(INVOKE, json.dumps(meta).encode() + b"\n" + body)


SWITCH = b"\xff\0berth:switch\0\xff"


class Agent:
    def __init__(self, language, directory, prefix=()):
        command = [shared(arg).replace("/opt/berth", str(RUNTIMES)) for arg in LANGUAGES[language]["command"]]
        command[0] = os.environ.get(f"BERTH_{language.upper()}") or INTERPRETERS.get(language, command[0])
        self.control, control = socket.socketpair()
        self.log_socket, log = socket.socketpair()
        self.error_socket, error_log = socket.socketpair()
        self.control.settimeout(FRAME_TIMEOUT_S)
        self.received = b""
        self.log_before = b""  # the frame that came last
        self.streams = {self.log_socket: b"", self.error_socket: b""}
        self.printed = dict(self.streams)  # all of both, with the marks

        def descriptors():  # dup2 alone would keep close-on-exec where the number is 3 already
            os.dup2(control.fileno(), 100)
            os.dup2(100, 3)

        self.process = subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=error_log,
            env={"PATH": os.environ["PATH"], "BERTH_FUNCTION_DIR": str(directory)},
            preexec_fn=descriptors,
            pass_fds=[3],
        )
        control.close()
        log.close()
        error_log.close()

    def send(self, data):
        self.control.sendall(data)

    def receive(self):
        """The next frame; the log is read meanwhile, and is complete when a frame has come."""
        deadline = time.monotonic() + FRAME_TIMEOUT_S
        while len(self.received) < 5 or len(self.received) < 5 + int.from_bytes(self.received[:4], "big"):
            open_sockets = [self.control, self.log_socket, self.error_socket]
            ready, _, _ = select.select(open_sockets, [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no frame within {FRAME_TIMEOUT_S} s; log: {self.log!r}"
            if self.log_socket in ready or self.error_socket in ready:
                self.drain_log()
            if self.control in ready:
                data = self.control.recv(1 << 20)
                if not data:
                    raise Closed
                self.received += data
        self.drain_log()
        self.log_before = self.log
        self.streams = dict.fromkeys(self.streams, b"")
        end = 5 + int.from_bytes(self.received[:4], "big")
        kind, payload, self.received = self.received[4], self.received[5:end], self.received[end:]
        return kind, payload

    def drain_log(self):
        for log in self.streams:
            try:
                while data := log.recv(1 << 20, socket.MSG_DONTWAIT):
                    self.streams[log] += data
                    self.printed[log] += data
            except (BlockingIOError, ConnectionResetError):
                pass

    @property
    def log(self):
        """All of it: in the order of the marks, and between two of them, or two frames, stdout first."""
        parts = [text.split(SWITCH) for text in self.streams.values()]
        return self.log_before + b"".join(out + error for out, error in itertools.zip_longest(*parts, fillvalue=b""))

    def expect(self, kind):
        got, payload = self.receive()
        assert got == kind, payload
        meta, _, output = payload.partition(b"\n")
        meta = json.loads(meta)
        if kind == RESULT:
            assert meta == {"invocation_id": INVOCATION_ID}
            return json.loads(output)
        return meta

    def invoke(self, body=b"", **meta):
        self.send(invoke_frame(body, **meta))
        return self.expect(RESULT)

    def invoke_error(self, body=b"", **meta):
        self.send(invoke_frame(body, **meta))
        return self.expect(ERROR)

    def wait_exit(self):
        """Its exit code, after it closed the control socket by itself."""
        with pytest.raises(Closed):
            self.receive()
        code = self.process.wait(FRAME_TIMEOUT_S)
        self.drain_log()
        return code

    def close(self):
        self.control.close()
        try:
            self.process.wait(FRAME_TIMEOUT_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.log_socket.close()
            self.error_socket.close()


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def boot(tmp_path):
    """boot(language, files, prefix): an agent that has said HELLO, started by the command prefix; the files are in its directory."""
    agents = []

    def start(language, files, prefix=()):
        if isinstance(files, str):
            files = {LANGUAGES[language]["source_file"]: files}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        agent = Agent(language, tmp_path, prefix)
        agents.append(agent)
        agent.hello = agent.expect(HELLO)
        return agent

    yield start
    for agent in agents:
        agent.close()


@pytest.fixture
def ready(boot):
    """ready(language, files, prefix, **settings): an agent that has said READY."""

    def start(language, files, prefix=(), **settings):
        agent = boot(language, files, prefix)
        agent.send(init_frame(**settings))
        agent.expect(READY)
        return agent

    return start


@pytest.fixture
def init_error(boot):
    """init_error(language, files, **settings): the INIT_ERROR of an agent that then has exited with 1."""

    def start(language, files, **settings):
        agent = boot(language, files)
        agent.send(init_frame(**settings))
        error = agent.expect(INIT_ERROR)
        assert agent.wait_exit() == 1
        return error

    return start
