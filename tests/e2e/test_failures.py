"""What went wrong is told apart, to the caller and in the record, whatever the function runs on."""

import time

import pytest
from support import check_problem, wait_for

MB = 1 << 20
LIMITS = {"timeout_ms": 700, "memory_limit_mb": 128, "response_bytes": 2048, "init_timeout_ms": 700}

# Each way to fail prints first.
CODE = """
import ctypes, os, signal, time

def fail(how):
    if how == "raise":
        raise KeyError("not there: ü")
    if how == "exit":
        os._exit(3)
    if how == "crash":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "sleep":
        time.sleep(30)
    if how == "allocate":
        return len(b"x" * (500 << 20))
    if how == "much":
        return "x" * 5000
    if how == "not JSON":
        return {1, 2}

def handler(event, context):
    print("last words")
    return fail(event)
"""

INIT_CODE = """
import os, time
print("loading")
how = os.environ["HOW"]
if how == "raise":
    raise LookupError("at load")
if how == "sleep":
    time.sleep(30)
if how == "exit":
    os._exit(5)
if how == "allocate":
    b"x" * (500 << 20)

def handler(event, context):
    return "loaded"
"""

# how → status, code, and members of the problem
FAILURES = {
    "raise": (502, "function_error", {}),
    "exit": (502, "sandbox_exited", {"exit_code": 3, "phase": "exec"}),
    "crash": (502, "sandbox_exited", {"signal": "SIGSEGV", "phase": "exec"}),
    "kill": (502, "sandbox_exited", {"signal": "SIGKILL", "phase": "exec"}),
    "sleep": (504, "function_timeout", {"limit_ms": 700, "phase": "exec"}),
    "allocate": (502, "out_of_memory", {"limit_mb": 128, "phase": "exec"}),
    "much": (502, "response_too_large", {"limit": 2048, "actual": 5002}),
    "not JSON": (502, "invalid_output", {}),
}
INIT_FAILURES = {
    "raise": (502, "init_error", {}),
    "exit": (502, "sandbox_exited", {"exit_code": 5, "phase": "init"}),
    "sleep": (504, "function_timeout", {"limit_ms": 700, "phase": "init"}),
    "allocate": (502, "out_of_memory", {"limit_mb": 128, "phase": "init"}),
}


@pytest.fixture(scope="module")
def function(deploy_once, runtime):
    return deploy_once(CODE, runtime=runtime, **LIMITS)


def check(database, runtime, answer, status, code, members):
    """The problem, its record and the log; returns the problem."""
    problem = check_problem(answer, status, code)
    assert problem.items() >= members.items()
    assert ("exit_code" in problem, "signal" in problem) == ("exit_code" in members, "signal" in members)
    row = database.metric(answer.headers["Berth-Invocation-Id"])
    assert row.items() >= {
        "status": status,
        "error_flag": True,
        "error_code": code,
        "error_message": problem["detail"],
        "runtime": runtime,
        "start_kind": answer.headers["Berth-Start"],
    }.items()
    return problem, row


@pytest.mark.parametrize("how", FAILURES)
def test_a_failure_has_its_code_its_record_and_its_log(api, database, function, runtime, how):
    status, code, members = FAILURES[how]
    answer = api.execute(function, how)
    problem, row = check(database, runtime, answer, status, code, members)
    log = database.log(row["metric_id"])
    assert log["text"].startswith("last words\n") and log["late"] == ""
    if how == "raise":
        error = problem["error"]
        assert (error["type"], error["message"]) == ("KeyError", "'not there: ü'")
        assert "main.py" in error["stack"][0] and "in fail" in error["stack"][0]
    if how == "not JSON":
        assert "set" in problem["error"]["message"]
    if how == "sleep":
        assert 700 <= row["exec_ms"] < 1700
        assert "timeout_ms" in problem["detail"]
    if how == "allocate":
        # Something can be left: what did not fit is not in it.
        assert 50 <= problem["peak_mb"] <= problem["limit_mb"]
        # The kernel charges a process that is being killed for a few more pages, so that it can end.
        assert row["memory_peak_bytes"] <= 129 * MB
        assert "memory_limit_mb" in problem["detail"]


@pytest.mark.parametrize("how", INIT_FAILURES)
def test_a_failure_while_loading_has_its_own_phase(api, database, deploy, runtime, how):
    status, code, members = INIT_FAILURES[how]
    function = deploy(INIT_CODE, runtime=runtime, environment={"HOW": how}, **LIMITS)
    assert [warning["code"] for warning in function["warnings"]] == [code]
    answer = api.execute(function)
    problem, row = check(database, runtime, answer, status, code, members)
    assert database.log(row["metric_id"])["text"].startswith("loading\n")
    assert row["exec_ms"] == 0 and row["init_ms"] > 0
    if how == "sleep":
        assert 700 <= row["init_ms"] < 1700
        assert "init_timeout_ms" in problem["detail"]
    if how == "raise":
        assert (problem["error"]["type"], problem["error"]["message"]) == ("LookupError", "at load")


def test_what_a_child_process_dies_of_is_the_functions_to_handle(api, deploy, runtime):
    """The sandbox goes on: only the end of the function's own process is its end."""
    code = CODE.replace("return fail(event)", "return [child(how) for how in event]") + """
def child(how):
    pid = os.fork()
    if pid == 0:
        try:
            fail(how)
        finally:
            os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
    function = deploy(code, runtime=runtime, **LIMITS)
    assert api.output(function, ["crash", "kill", "exit"]) == [-11, -9, 3]
    assert api.execute(function, ["kill"]).headers["Berth-Start"] == "warm"


def test_background_work_is_not_in_the_next_invocations_log(api, database, deploy, runtime):
    code = """
import threading, time

def handler(event, context):
    if event:
        threading.Timer(0.05, lambda: print("too late", flush=True)).start()
    print("mine", event)
"""
    function = deploy(code, runtime=runtime)
    first = api.execute(function, True).headers["Berth-Invocation-Id"]
    wait_for("it to be with the invocation that left it", lambda: (database.log(first) or {}).get("late") == "too late\n")
    answer = api.execute(function, False)
    assert answer.headers["Berth-Start"] == "warm"
    row = database.metric(answer.headers["Berth-Invocation-Id"])
    log = database.log(row["metric_id"])
    assert (log["text"], log["log_bytes"]) == ("mine False\n", len("mine False\n"))
    assert database.log(first)["text"] == "mine True\n"
