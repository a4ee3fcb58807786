"""A process that there is but one of stops to move: it is told as down, killed and replaced, and requests get through."""

import re
import signal
import time

import pytest
from support import wait_for

SILENT_S = 2  # SLOT_SILENT_US
BACK_S = 15  # from the signal to success again


def metric(api, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", api.get("/metrics").text, re.M)[1])


def log_of_end(stack, role, pid, mark):
    return re.search(rf"{role}/\d+ \(pid {pid}\) was killed, for it had not moved for [0-9.]+ s", stack.log_since(mark))


def test_a_stopped_poolmgr_is_told_as_down_and_replaced(api, runtime, stack, start_traffic):
    traffic = start_traffic(runtime)
    stopped = stack.children("poolmgr")[0]
    mark, begun = stack.log_mark(), time.monotonic()
    stopped.kill(signal.SIGSTOP)
    wait_for("the metrics to say so", lambda: metric(api, "berth_poolmgr_up") == 0, SILENT_S + 2)
    assert metric(api, 'berth_processes_silent{role="poolmgr"}') == 1
    ready = api.get("/readyz")
    if stopped.is_alive():
        assert ready.status_code == 503
        assert "has shown no sign of life for" in ready.json()["checks"]["poolmgr"]["detail"]
    wait_for("its end", lambda: not stopped.is_alive(), 10)
    wait_for("another one", lambda: metric(api, "berth_poolmgr_up") == 1, 10)
    traffic.go_on(20, BACK_S)
    assert time.monotonic() - begun < BACK_S
    traffic.stop()
    # Who came when it had just stopped waits for the next one, and is told when that takes too long.
    assert {(a.status, a.code) for a in traffic.failed()} <= {(503, "overloaded")}
    assert log_of_end(stack, "poolmgr", stopped.pid, mark)
    assert metric(api, 'berth_processes_silent{role="poolmgr"}') == 0


def test_berthd_says_that_its_poolmgr_does_not_move(api, reload, stack):
    reload("master.stuck_after_ms=0")
    stopped = stack.children("poolmgr")[0]
    stopped.kill(signal.SIGSTOP)
    try:
        wait_for("it to be noticed", lambda: metric(api, "berth_poolmgr_up") == 0, SILENT_S + 2)
        done = stack.berthd("--config", str(stack.dir / "berth.conf"), "--status")
        assert done.returncode != 0 and "does not answer" in done.stdout
        assert stopped.is_alive()  # never, says the setting
    finally:
        stopped.kill(signal.SIGCONT)
    wait_for("it to go on", lambda: metric(api, "berth_poolmgr_up") == 1, 5)


@pytest.mark.parametrize("role", ["warden", "follow", "collector"])
def test_any_other_single_process_is_replaced_too(role, api, reload, stack, start_traffic):
    reload("master.stuck_after_ms=2000")
    traffic = start_traffic()
    stopped = stack.children(role)[0]
    mark = stack.log_mark()
    stopped.kill(signal.SIGSTOP)
    wait_for("the metrics to say so", lambda: metric(api, f'berth_processes_silent{{role="{role}"}}') == 1, SILENT_S + 2)
    if stopped.is_alive():
        assert role in api.get("/readyz").json()["checks"]["processes"]["detail"]
    wait_for("its end", lambda: not stopped.is_alive(), 20)
    wait_for("another one", lambda: [p.pid for p in stack.children(role) if p.pid != stopped.pid], 10)
    traffic.go_on(20)
    traffic.stop()
    assert traffic.failed() == []
    assert log_of_end(stack, role, stopped.pid, mark)


def test_a_machine_that_sleeps_costs_nobody_his_process(api, stack, start_traffic):
    """Everything stops, the master too: when it goes on, no time has passed for anybody."""
    traffic = start_traffic()
    master, children = stack.master(), stack.children()
    before = {role: [p.pid for p in stack.children(role)] for role in ("poolmgr", "warden", "follow", "collector")}
    for process in [master, *children]:
        process.kill(signal.SIGSTOP)
    time.sleep(int(stack.settings()["master.stuck_after_ms"]) / 1000 + 2)  # longer than the master would wait
    for process in [*children, master]:
        process.kill(signal.SIGCONT)
    traffic.go_on(20, BACK_S)
    assert {role: [p.pid for p in stack.children(role)] for role in before} == before
