"""What a function leaves behind that works on is frozen long before its time, and what it used is on the function's account."""

import time

import pytest
from support import wait_for

pytestmark = pytest.mark.alone

CODE = """
import os, threading, time

def spin():
    while True:
        pass

def handler(event, context):
    if event == "spin":
        threading.Thread(target=spin, daemon=True).start()
    return os.getuid()
"""


@pytest.fixture(scope="module", autouse=True)
def not_for_its_rest(reload_once):
    """What is frozen here is so because it works on."""
    reload_once("pool.freeze_after_ms=60000")


@pytest.fixture
def spinner(deploy, runtime):
    return deploy(CODE, runtime=runtime)


def account(database, function):
    """Milliseconds of processor time while invocations ran, and between them."""
    query = "select coalesce(sum(cpu_us), 0) as cpu, coalesce(sum(background_us), 0) as background from metrics_minute"
    (row,) = database.rows(query + " where function_id = :'id'::uuid", id=function["id"])
    return row["cpu"] / 1000, row["background"] / 1000


def test_what_works_on_between_invocations_is_frozen_at_once_and_billed(api, database, spinner, stack):
    first = api.execute(spinner)
    uid = first.json()["output"]
    cgroup = stack.cgroup_of_user(uid)
    api.wait_for_rest()
    before_ms = cgroup.cpu_s() * 1000
    assert database.metric(first.headers["Berth-Invocation-Id"])["background_cpu_ms"] < 20  # since it was tried at its deployment
    first_ms = sum(account(database, spinner))

    assert api.output(spinner, "spin") == uid
    wait_for("it to be frozen", cgroup.is_frozen, 5)
    told = []
    for pause_s in [0.05] * 8 + [0.15] * 4:  # while a worker keeps it, and when it is given back
        time.sleep(pause_s)
        answer = api.execute(spinner)
        assert (answer.json()["output"], answer.headers["Berth-Start"]) == (uid, "warm")
        told.append(answer.headers["Berth-Invocation-Id"])
    wait_for("it to be frozen", cgroup.is_frozen, 5)
    used_ms = cgroup.cpu_s() * 1000 - before_ms
    # Once it is known not to rest, no worker keeps it, and it is frozen as soon as it is given back.
    assert used_ms < 600
    rows = [database.metric(id) for id in told]
    assert max(row["background_cpu_ms"] for row in rows) > 20
    assert api.get(f"/invocations/{told[0]}").json()["background_cpu_ms"] == rows[0]["background_cpu_ms"]

    assert api.delete(f"/functions/{spinner['id']}").status_code == 204  # what it used last is billed when its sandbox ends
    wait_for("all to be billed", lambda: sum(account(database, spinner)) - first_ms >= 0.95 * used_ms - 5)
    assert sum(account(database, spinner)) - first_ms < 1.05 * used_ms + 50


def test_who_is_never_called_again_is_billed_too(api, database, spinner, stack):
    uid = api.output(spinner, "spin")
    wait_for("it to be frozen", stack.cgroup_of_user(uid).is_frozen, 5)
    assert account(database, spinner)[1] < 20
    container = stack.container_of_user(uid)["Id"]
    assert api.delete(f"/functions/{spinner['id']}").status_code == 204
    wait_for("its container to go", lambda: container not in stack.containers(), 5)
    wait_for("it to be billed", lambda: account(database, spinner)[1] > 20)


def test_the_metrics_tell_what_was_used_between_invocations(api, spinner, stack):
    def total():
        text = api.get("/metrics").text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("berth_background_cpu_seconds_total{"))

    before = total()
    uid = api.output(spinner, "spin")
    wait_for("it to be frozen", stack.cgroup_of_user(uid).is_frozen, 5)
    api.output(spinner)
    assert total() > before + 0.02

    def told():
        return api.get(f"/metrics/functions/{spinner['name']}").json()["summary"]

    wait_for("its figures", lambda: told()["requests"] == 2)
    assert told()["background_cpu_ms"]["total"] > 20
