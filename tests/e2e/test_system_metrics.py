"""What runs, as GET /metrics/system and berthd --status tell it, and what is put right where it does not agree."""

import os
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import check_problem, default_label, in_background, wait_for

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return 'slept'\n"
EXITER = "import os\ndef handler(event, context):\n    os._exit(3)\n"


@pytest.fixture
def system(api):
    def read():
        answer = api.get("/metrics/system")
        assert answer.status_code == 200, answer.text
        return answer.json()

    return read


@pytest.fixture
def since(system):
    """How much a counter has grown since the test began."""
    before = system()["pool"]["counters"]

    def grown(family, label=None):
        now = system()["pool"]["counters"][family]
        labels = [label] if label else now
        return sum(now[name] - before[family][name] for name in labels)

    return grown


def row_of(system, function):
    rows = [row for row in system["pool"]["functions"] if row["function_id"] == function["id"]]
    return rows[0] if rows else None


# What there is


def test_processes_are_those_that_run(stack, system):
    def agree():
        told = system()["processes"]
        states = ("starting", "idle", "busy", "stopping")
        running = [p.role for p in stack.children()]
        return all(sum(told[role][state] for state in states) == running.count(role) for role in told)

    wait_for("processes and numbers to agree", agree)
    assert set(system()["processes"]) == {
        "invoke", "deploy", "query", "health", "control", "follow", "poolmgr", "collector", "warden"
    }
    assert system()["processes"]["control"]["busy"] >= 1  # who answers
    assert system()["berthd"]["instance"] == stack.instance
    assert system()["berthd"]["uptime_ms"] > 0
    assert system()["database"]["status"] == "ok"


def test_sandboxes_are_those_that_docker_has(api, deploy, stack, system):
    function = deploy(SLEEPER)
    api.output(function)

    def agree():
        pool = system()["pool"]
        by_shape = [sum(shape["sandboxes"].values()) for shape in pool["shapes"]]
        return sum(pool["sandboxes"].values()) == sum(by_shape) == len(stack.containers()) and pool["sandboxes"]["idle"]

    wait_for("sandboxes and numbers to agree", agree, 20)
    pool = system()["pool"]
    assert all({"spares_wanted", "spare", "starting", "waiting", "problem"} <= set(shape) for shape in pool["shapes"])
    assert pool["memory"]["committed_mb"] >= 64 * sum(pool["sandboxes"].values())


def test_a_function_has_a_row_while_it_has_a_sandbox(api, deploy, system):
    function = deploy(SLEEPER, max_concurrency=3)
    api.output(function)
    wait_for("its worker to give it back", lambda: row_of(system(), function)["sandboxes"]["idle"] == 1)
    row = row_of(system(), function)
    assert (row["name"], row["version"], row["status"]) == (function["name"], 1, "current")
    assert (row["max_concurrency"], row["waiting"], row["sandboxes"]["leased"]) == (3, 0, 0)
    api.delete(f"/functions/{function['id']}")
    wait_for("the row to go", lambda: row_of(system(), function) is None)


def test_requests_that_wait_are_told(api, deploy, system):
    function = deploy(SLEEPER, max_concurrency=1, timeout_ms=10000)
    calls = [in_background(lambda: api.execute(function, 1)) for _ in range(3)]
    wait_for("one to wait", lambda: (row_of(system(), function) or {"waiting": 0})["waiting"] >= 1)
    assert system()["pool"]["waiting"] >= 1
    assert [call().status for call in calls] == [200] * 3
    assert row_of(system(), function)["waiting"] == 0


def test_requests_that_no_worker_has_taken_yet_are_told(api, deploy, reload, stack, system):
    reload("invoke.min_spare=1", "invoke.max_workers=3")
    function = deploy(SLEEPER, timeout_ms=10000)
    calls = [in_background(lambda: api.execute(function, 1)) for _ in range(12)]
    wait_for("workers to be scarce", lambda: system()["lanes"]["waiting"] >= 6)
    lanes = system()["lanes"]
    assert lanes["count"] == int(stack.settings()["invoke.lanes"])
    assert 0 < lanes["longest"] <= lanes["waiting"]
    assert [call().status for call in calls] == [200] * 12
    assert system()["lanes"]["waiting"] == 0


# What has happened


def test_requests_are_counted_by_what_they_got(api, deploy, since):
    function = deploy(SLEEPER)
    for _ in range(20):
        api.output(function)
    # The sandbox is kept between requests; that is told when it is given back. The deployment tried the code in one.
    wait_for("all to be counted", lambda: since("grants") >= 21)
    assert since("grants") == 21
    assert since("grants", "warm") >= 1 and since("grants", "kept") >= 1
    assert since("grants", "prewarmed") + since("grants", "cold") >= 1
    check_problem(api.execute("no-such-function"), 404, "not_found")
    assert since("denials") == since("denials", "not_found") == 1


def test_sandboxes_are_counted_by_what_ended_them(api, deploy, since):
    slow = deploy(SLEEPER, timeout_ms=200)
    check_problem(api.execute(slow, 5), 504, "function_timeout")
    assert since("kills", "timeout") == 1
    check_problem(api.execute(deploy(EXITER)), 502, "sandbox_exited")
    assert since("kills", "exited") == 1


def test_evictions_are_counted(api, deploy, reload, since, system):
    api.output(deploy(SLEEPER))
    reload("pool.idle_timeout_ms=200")
    wait_for("idle sandboxes to go", lambda: system()["pool"]["sandboxes"]["idle"] == 0)
    assert since("evictions", "idle") >= 1


def test_what_a_worker_has_counted_stays_when_it_is_replaced(api, deploy, reload, system):
    function = deploy(SLEEPER)
    for _ in range(5):
        api.output(function)
    before = system()["processes"]["invoke"]["requests"]
    assert before >= 5
    reload("limits.log_default_bytes=1000")
    assert system()["processes"]["invoke"]["requests"] >= before


# What does not agree is put right


def make_directory(stack, sandbox):
    path = stack.dir / "state" / "sandboxes" / sandbox
    (path / "function").mkdir(parents=True)
    for each in (path, path / "function"):
        shutil.chown(each, "berth-pool", "berth-pool")


def stranger(stack, state):
    """A container as a berthd leaves it that is no more; returns the id of its sandbox."""
    sandbox = secrets.token_hex(8)
    image = stack.inspect_all()[0]["Config"]["Image"]
    make_directory(stack, sandbox)
    labels = ["--label", f"berth.instance={stack.instance}", "--label", f"berth.sandbox={sandbox}"]
    name = f"berth-{stack.instance}-{sandbox}"
    command = "/bin/true" if state == "exited" else "/bin/sleep"
    stack.docker("create", "--name", name, "--network", "none", *labels, "--entrypoint", command, image, "1000")
    if state != "created":
        stack.docker("start", name)
    if state == "paused":
        stack.docker("pause", name)
    if state == "exited":
        stack.docker("wait", name)
    return sandbox


def drift_of_ours(since):
    """Docker loses a container now and then, whatever we do."""
    return since("drift") - since("drift", "unknown_shim")


@pytest.mark.parametrize("state", ["created", "running", "paused", "exited"])
def test_a_container_nobody_knows_is_removed_in_any_state(reload, since, stack, state):
    mark = stack.log_mark()
    sandbox = stranger(stack, state)
    reload("pool.reconcile_interval_ms=200")
    wait_for("it to go", lambda: stack.sandbox_container(sandbox) is None and sandbox not in stack.sandbox_directories(), 10)
    wait_for("it to be counted", lambda: since("drift", "unknown_container") == 1)
    assert drift_of_ours(since) == 1
    said = '"reconciled: removed unknown containers: 1(, containerd-shims unknown to Docker: [0-9]+)?"'
    wait_for("a line of the log", lambda: re.search(said, stack.log_since(mark)))


def test_a_directory_nobody_knows_is_removed(reload, since, stack):
    sandbox = secrets.token_hex(8)
    make_directory(stack, sandbox)
    reload("pool.reconcile_interval_ms=200")
    wait_for("it to go", lambda: sandbox not in stack.sandbox_directories(), 10)
    wait_for("it to be counted", lambda: since("drift", "unknown_directory") == 1)


def test_a_sandbox_somebody_paused_is_replaced(api, deploy, reload, since, stack, system):
    function = deploy("import os\ndef handler(event, context):\n    return os.getuid()\n")
    uid = api.output(function)
    api.wait_for_rest()
    stack.docker("pause", stack.container_of_user(uid)["Id"])
    reload("pool.reconcile_interval_ms=200")
    wait_for("it to go", lambda: stack.container_of_user(uid) is None, 10)
    assert since("drift", "stopped_container") == 1
    assert api.output(function) != uid


def test_a_sandbox_whose_directory_is_gone_is_replaced(api, deploy, reload, since, stack):
    function = deploy("import os\ndef handler(event, context):\n    return os.getuid()\n")
    uid = api.output(function)
    api.wait_for_rest()
    container = stack.container_of_user(uid)
    path = stack.dir / "state" / "sandboxes" / container["Config"]["Labels"]["berth.sandbox"]
    subprocess.run(["rm", "-r", path], check=True)
    reload("pool.reconcile_interval_ms=200")
    wait_for("it to go", lambda: stack.container_of_user(uid) is None, 10)
    assert since("drift", "lost_directory") == 1
    assert api.output(function) != uid


def test_nothing_is_put_right_where_nothing_is_wrong(api, deploy, load, reload, since):
    """Not even while sandboxes come and go all the time."""
    reload("pool.reconcile_interval_ms=100")
    function = deploy(SLEEPER, isolation="per_invocation")
    clients = load(lambda: api.execute(function), threads=2)
    clients.wait_for_more(30, 60)
    clients.stop()
    assert clients.failed() == []
    assert drift_of_ours(since) == 0


# The command line


def status(stack, *args, config=None):
    return stack.berthd("--config", str(config or stack.dir / "berth.conf"), "--status", *args)


def test_status_shows_what_runs(api, deploy, stack):
    function = deploy(SLEEPER)
    api.output(function)
    api.wait_for_rest()
    done = status(stack)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"instance '{stack.instance}', pid {stack.master().pid}, up " in done.stdout
    assert re.search(r"^  control +0 ", done.stdout, re.M)
    assert re.search(rf"^  {function['name']} +1 +current +0 +0 +0 +1 ", done.stdout, re.M)
    assert re.search(rf"^  docker/{default_label('python')}/", done.stdout, re.M)
    assert re.search(r"^  grants +.*\bkept \d+", done.stdout, re.M)
    assert max(len(line) for line in done.stdout.splitlines()) < 200


def test_status_of_what_does_not_run_is_3(stack, tmp_path):
    config = tmp_path / "berth.conf"
    config.write_text(f"[master]\nrun_dir = {tmp_path}\n")
    done = status(stack, config=config)
    assert done.returncode == 3
    assert f"berthd does not run: no process holds {tmp_path}/berthd.pid" in done.stdout


@pytest.mark.parametrize("user", ["nobody", "berth-collector"])
@pytest.mark.parametrize("can_read", [False, True])
def test_who_may_not_ask_is_told_so(stack, can_read, user):
    """Whoever cannot read the configuration, and who can read it, or one like it."""
    berthd, config = f"{stack.option('prefix')}/sbin/berthd", stack.dir / "berth.conf"
    command = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups", berthd, "--status"]
    if can_read:
        run_dir = f"[master]\nrun_dir = {stack.dir}/run\n"
        config = f"/proc/self/fd/{os.memfd_create('berth.conf', 0)}"
        Path(config).write_text(run_dir)
        os.chmod(config, 0o444)
        descriptor = int(config.rpartition("/")[2])
        done = subprocess.run([*command, "--config", config], capture_output=True, text=True, pass_fds=[descriptor])
        os.close(descriptor)
    else:
        done = subprocess.run([*command, "--config", config], capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert "only root may ask" in done.stdout


def test_without_the_pool_manager_there_are_no_numbers(api, stack):
    (poolmgr,) = stack.children("poolmgr")
    os.kill(poolmgr.pid, signal.SIGSTOP)
    try:
        check_problem(api.get("/metrics/system"), 503, "runtime_unavailable")
        done = status(stack)
        assert done.returncode == 3
        assert f"berthd runs (pid {stack.master().pid}), but its pool manager does not answer" in done.stdout
    finally:
        os.kill(poolmgr.pid, signal.SIGCONT)
    wait_for("it to answer again", lambda: api.get("/metrics/system").status_code == 200)
