"""A function that ends its process: its caller is told with what code, or by which signal, however busy the machine is."""

import os
import subprocess
import sys

import pytest
from support import check_problem

CODE = """
import os, time

def handler(event, context):
    if "code" in event:
        os._exit(event["code"])
    os.kill(os.getpid(), event["signal"])
    time.sleep(60)
"""
NAMES = {6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}
EXITS = [*({"code": code} for code in (0, 1, 2, 3, 77, 120, 255)), *({"signal": number} for number in NAMES)]
ROUNDS = 50


@pytest.fixture
def busy():
    """Twice as much work as there are processors for it, beside what the test does."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * os.cpu_count())]
    yield
    for hog in hogs:
        hog.kill()
        hog.wait()


def expected(exit):
    return {"exit_code": exit["code"]} if "code" in exit else {"signal": NAMES[exit["signal"]]}


@pytest.mark.alone
def test_every_end_is_told_on_a_busy_machine(api, busy, deploy, runtime):
    function = deploy(CODE, runtime=runtime)
    told = []
    for i in range(ROUNDS):
        exit = EXITS[i % len(EXITS)]
        problem = check_problem(api.execute(function, exit, timeout=60), 502, "sandbox_exited")
        told.append((expected(exit), {name: problem[name] for name in ("exit_code", "signal") if name in problem}))
    assert [(wanted, got) for wanted, got in told if wanted != got] == []


@pytest.mark.parametrize("language, code", [
    ("python", "import os\ndef handler(event, context):\n    os.abort()\n"),
    ("javascript", "exports.handler = () => process.abort();"),
])  # fmt: skip
def test_an_abort_is_a_signal_in_both_languages(api, deploy, runtime, language, code):
    function = deploy(code, language=language, runtime=runtime)
    assert check_problem(api.execute(function), 502, "sandbox_exited")["signal"] == "SIGABRT"
