"""The process tree: who runs as whom, how many there are, and what signals and the command line do."""

import contextlib
import grp
import os
import pwd
import re
import signal
import socket
import subprocess
import time

import pytest
from support import LANGUAGES, check_problem, default_label, in_background, wait_for

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return 'slept'\n"


@pytest.fixture(scope="module")
def sleeper(deploy_once):
    return deploy_once(SLEEPER, timeout_ms=30000)


@pytest.fixture
def setting(stack):
    return lambda name: int(stack.settings()[name])


# Who they are


def test_there_is_one_of_each_and_as_many_workers_as_configured(stack, setting):
    wait_for("the pool to be up", lambda: len(stack.children("invoke")) >= setting("invoke.min_spare"))
    roles = [p.role for p in stack.children()]
    assert set(roles) == {"invoke", "deploy", "query", "health", "control", "follow", "poolmgr", "collector", "warden"}
    assert roles.count("follow") == roles.count("poolmgr") == roles.count("collector") == roles.count("warden") == 1
    assert roles.count("control") == setting("control.workers")
    assert roles.count("query") == setting("query.workers")
    assert 1 <= roles.count("deploy") <= setting("deploy.max_workers")


def test_on_a_busy_node_those_go_first_that_answer_at_once(stack):
    niceness = {process.role: os.getpriority(os.PRIO_PROCESS, process.pid) for process in stack.children()}
    first = {"health", "control", "poolmgr"}
    assert niceness == {role: -10 if role in first else 0 for role in niceness}
    assert first <= set(niceness)
    batch = {process.role for process in stack.children() if os.sched_getscheduler(process.pid) == os.SCHED_BATCH}
    assert batch == {"invoke", "deploy", "query", "collector"}


def test_titles_say_what_each_process_is(stack):
    for process in stack.children():
        assert re.fullmatch(r"berthd: (invoke|deploy|query|health|control|follow|poolmgr|collector|warden)/\d+", process.title)
    assert stack.master().title.endswith("/sbin/berthd")


CAP_DAC_OVERRIDE, CAP_KILL = 1, 5
USERS = {
    "invoke": "berth", "control": "berth-control", "deploy": "berth-control", "query": "berth-control", "health": "berth-control",
    "follow": "berth-follow", "poolmgr": "berth-pool", "collector": "berth-collector", "warden": "berth-warden",
}  # fmt: skip


def user(role):
    return pwd.getpwnam(USERS[role])


def test_the_master_is_root_and_each_kind_of_process_a_user_of_its_own_without_privileges(stack):
    assert stack.master().uids == {0}
    for process in stack.children():
        assert process.uids == {user(process.role).pw_uid}, process.title
        wanted = 1 << CAP_DAC_OVERRIDE | 1 << CAP_KILL if process.role == "warden" else 0
        assert [int(process.status[f"Cap{which}"], 16) for which in ("Eff", "Prm", "Bnd", "Amb")] == [wanted] * 4, process.title
        assert process.status["NoNewPrivs"] == "1"
        assert process.status["Seccomp"] == ("2" if process.role == "warden" else "0")
    www_data = pwd.getpwnam("www-data").pw_uid
    assert stack.nginx_workers()
    for process in stack.nginx_workers():
        assert process.uids == {www_data}


def test_only_poolmgr_may_open_the_docker_socket(stack):
    docker = grp.getgrnam("docker").gr_gid
    path = stack.settings()["docker.socket"].strip('"')
    held = os.stat(path)
    assert (held.st_uid, held.st_gid, held.st_mode & 0o777) == (0, docker, 0o660)
    assert {p.role for p in stack.children() if docker in p.groups} == {"poolmgr"}
    for process in stack.children():
        recording = user("invoke").pw_gid  # whose the spool is
        others = {"poolmgr": {docker, recording}, "collector": {recording}}.get(process.role, set())
        assert process.groups <= {user(process.role).pw_gid} | others, process.title
    tried = subprocess.run(
        ["setpriv", "--reuid=berth", "--regid=berth", "--clear-groups", "curl", "-s", "--unix-socket", path, "http://d/_ping"]
    )
    assert tried.returncode == 7  # could not connect


def test_the_sockets_are_open_to_those_who_need_them_only(stack):
    run = stack.dir / "run"
    www_data = grp.getgrnam("www-data").gr_gid

    def held(path):
        found = path.stat()
        return found.st_uid, found.st_gid, found.st_mode & 0o7777

    for name in ("invoke-0.sock", "invoke-31.sock", "control.sock"):
        assert held(run / name) == (0, www_data, 0o660)
    assert held(run / "poolmgr.sock") == (user("control").pw_uid, user("invoke").pw_gid, 0o660)
    for name in ("sandboxes", "cache"):
        assert held(stack.dir / "state" / name) == (user("poolmgr").pw_uid, user("poolmgr").pw_gid, 0o700)
    assert held(stack.dir / "state" / "spool") == (user("collector").pw_uid, user("invoke").pw_gid, 0o1730)


def test_what_children_inherit_is_what_they_need(stack):
    """stdin, stdout, stderr, configuration, scoreboard, life pipe, socket; the rest they opened themselves."""
    for process in stack.children("control"):
        links = {n: os.readlink(f"/proc/{process.pid}/fd/{n}") for n in os.listdir(f"/proc/{process.pid}/fd")}
        assert links["0"] == "/dev/null"
        assert links["3"].startswith("/memfd:berth-conf")
        assert not any("sandboxes" in target or "berthd.pid" in target for target in links.values())


# How many there are


def test_the_pool_grows_under_load_and_shrinks_again(api, deploy, reload, stack):
    function = deploy(SLEEPER, timeout_ms=10000)
    reload("invoke.min_spare=1", "invoke.max_workers=12")
    wait_for("the pool to be small", lambda: len(stack.children("invoke")) <= 2, 20)
    calls = [in_background(lambda: api.execute(function, 3)) for _ in range(5)]
    wait_for("the pool to grow", lambda: len(stack.children("invoke")) >= 6, 10)
    assert [call().status for call in calls] == [200] * 5
    assert len(stack.children("invoke")) <= 12
    wait_for("the pool to shrink", lambda: len(stack.children("invoke")) <= 2, 20)


def test_more_requests_than_workers_wait_and_all_succeed(api, deploy, reload, stack):
    function = deploy(SLEEPER, timeout_ms=10000)
    reload("invoke.min_spare=1", "invoke.max_workers=3")
    calls = [in_background(lambda: api.execute(function, 0.3)) for _ in range(12)]
    assert [call().status for call in calls] == [200] * 12
    assert len(stack.children("invoke")) <= 3


def test_spares_follow_their_setting(api, reload):
    limits = api.get("/limits").json()["function"]
    memory, tmp, inodes, pids, nofile = (
        limits[name]["default"] for name in ("memory_limit_mb", "tmp_mb", "tmp_inodes", "pids", "nofile")
    )

    def spares():
        """Of the shapes that always have some; those of other tests' functions go after a while."""
        usual = f"{memory}MB/1000m/{tmp}MB/{inodes}i/{pids}p/{nofile}f"
        shapes = api.get("/readyz").json()["pool"]["shapes"]
        found = [s["spare"] for s in shapes if s["shape"] in [f"docker/{default_label(language)}/{usual}" for language in LANGUAGES]]
        assert len(found) == 2
        return set(found)

    reload("pool.min_spares=3", "pool.max_spares=3", "pool.spare_idle_percent=0")  # whatever else this machine does
    wait_for("three spares of each shape", lambda: spares() == {3})
    reload("pool.min_spares=1", "pool.max_spares=1")
    wait_for("one spare of each shape", lambda: spares() == {1}, 20)


def test_idle_sandboxes_are_removed_after_their_time(api, deploy, reload, stack):
    function = deploy(SLEEPER)
    api.output(function)
    wait_for("its worker to give it back", lambda: api.get("/readyz").json()["pool"]["sandboxes"]["idle"] >= 1)
    reload("pool.idle_timeout_ms=200")
    wait_for("idle sandboxes to go", lambda: api.get("/readyz").json()["pool"]["sandboxes"]["idle"] == 0)
    assert api.output(function) == "slept"


# How soon they are there again


@pytest.mark.alone
def test_a_process_that_keeps_dying_is_started_again_after_twice_as_long_each_time(api, sleeper, reload, stack):
    delay_s = 0.5
    reload(f"master.restart_delay_ms={delay_s * 1000:.0f}")
    waits = []
    for _ in range(5):
        (victim,) = wait_for("the collector to run", lambda: stack.children("collector"), 20)
        victim.kill()
        died = time.monotonic()
        wait_for("it to be gone", lambda: not victim.is_alive())
        wait_for("the next one", lambda: stack.children("collector"), 20)
        waits.append(time.monotonic() - died)
    # The first death is repaired at once; from the second in a row on, each doubles the wait.
    for wait, wanted in zip(waits, [0, delay_s, 2 * delay_s, 4 * delay_s, 8 * delay_s]):
        assert wanted <= wait < wanted + 1, waits
    assert api.output(sleeper) == "slept"  # the others did not have to wait


# SIGHUP


def test_a_reload_takes_effect_without_a_failed_request(api, deploy, load, reload):
    code = "def handler(event, context):\n    return 'x' * event\n"
    function = deploy(code)
    assert api.output(function, 5000) == "x" * 5000
    clients = load(lambda: api.execute(function, 10), threads=4)
    api_clients = load(lambda: api.get(f"/functions/{function['id']}"), threads=1)
    clients.wait_for_more(20)
    reload("limits.response_bytes=1024")
    check_problem(api.execute(deploy(code), 5000), 502, "response_too_large")
    reload("limits.response_bytes=")
    assert api.output(deploy(code), 5000) == "x" * 5000
    clients.wait_for_more(20)
    for one in (clients, api_clients):
        one.stop()
        assert one.failed() == []


def test_a_lower_limit_of_the_installation_holds_for_functions_that_are_there(api, deploy, reload):
    function = deploy("def handler(event, context):\n    return 'x' * event\n")
    reload("limits.response_bytes=1024")
    check_problem(api.execute(function, 5000), 502, "response_too_large")


def test_one_client_of_the_api_notices_no_reload(api, load, stack):
    """With one client at a time nobody else's request wakes a worker for one that was overlooked."""
    client = load(lambda: api.get("/functions?limit=1", timeout=5), threads=1)
    for _ in range(8):
        mark = stack.log_mark()
        stack.master().kill(signal.SIGHUP)
        wait_for("the workers", lambda: "new control workers have taken over" in stack.log_since(mark), 20)
    client.wait_for_more(5)
    client.stop()
    assert client.failed() == []
    assert max(a.ended - a.started for a in client.answers) < 3


@pytest.mark.alone
def test_a_reload_replaces_pool_after_pool_within_a_second(stack):
    def took():
        mark, started = stack.log_mark(), time.monotonic()
        stack.master().kill(signal.SIGHUP)
        wait_for("the workers", lambda: "new control workers have taken over" in stack.log_since(mark), 20)
        return time.monotonic() - started

    assert min(took() for _ in range(3)) < 1


def test_a_request_that_runs_during_a_reload_is_finished(api, sleeper, reload):
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 2))
    wait_for("it to run", lambda: api.leased())
    reload("limits.log_default_bytes=1000")
    assert call().status == 200


def test_the_collector_takes_its_settings_at_a_reload_and_lives_on(stack, reload):
    (before,) = stack.children("collector")
    mark = stack.log_mark()
    reload("collector.interval_ms=100")
    wait_for("it to read them", lambda: re.search("proc=collector.*settings reloaded", stack.log_since(mark)))
    (after,) = stack.children("collector")
    assert (after.pid, after.start_time) == (before.pid, before.start_time)


@pytest.mark.parametrize(
    "broken",
    [
        "[invoke]\nmin_spare = many\n",
        "[invoke]\nmin_spare = 0\n",
        "[sandbox]\ndefault_runtime = runc\n",
        "[nosuch]\nsetting = 1\n",
        "[invoke\n",
        "nonsense\n",
    ],
)
def test_a_broken_configuration_is_refused_at_sighup_and_the_old_one_stays(api, sleeper, stack, broken):
    path = stack.dir / "berth.conf"
    good = path.read_text()
    before = {p.pid for p in stack.children()}
    mark = stack.log_mark()
    try:
        path.write_text(good + broken)
        stack.master().kill(signal.SIGHUP)
        wait_for("the refusal", lambda: "reload refused, the old configuration stays" in stack.log_since(mark))
        assert re.search(r"reload refused.*(line \d+|sandbox\.default_runtime)", stack.log_since(mark)), stack.log_since(mark)
        checked = stack.berthd("--config", str(path), "--check-config")
        assert checked.returncode == 2
        assert checked.stderr.startswith("berthd: ")
    finally:
        path.write_text(good)
    assert api.output(sleeper) == "slept"
    assert before <= {p.pid for p in stack.children()}


def test_a_setting_that_needs_a_restart_is_kept_and_named(api, stack):
    path = stack.dir / "berth.conf"
    good = path.read_text()
    mark = stack.log_mark()
    try:
        path.write_text(good + "[limits]\nrequest_bytes = 2048\n")
        stack.master().kill(signal.SIGHUP)
        wait_for("the warning", lambda: "only a restart changes limits.request_bytes" in stack.log_since(mark))
        wait_for("the workers", lambda: "new control workers have taken over" in stack.log_since(mark), 20)
        assert api.get("/limits").json()["invocation"]["request_bytes"] == 6291456
    finally:
        path.write_text(good)
        stack.master().kill(signal.SIGHUP)
        wait_for("the workers", lambda: stack.log_since(mark).count("new control workers have taken over") == 2, 20)


# The command line


def test_a_second_berthd_in_the_same_run_directory_refuses(api, sleeper, stack):
    master = stack.master()
    done = stack.berthd("--config", str(stack.dir / "berth.conf"))
    assert done.returncode == 1
    assert f"another berthd (pid {master.pid}) uses this run directory" in done.stderr
    assert stack.master().pid == master.pid
    assert api.output(sleeper) == "slept"


def test_check_config_says_what_is_wrong(stack, tmp_path):
    good = stack.berthd("--config", str(stack.dir / "berth.conf"), "--check-config")
    assert (good.returncode, good.stderr) == (0, "")
    assert "is valid" in good.stdout
    missing = stack.berthd("--config", str(tmp_path / "none.conf"), "--check-config")
    assert missing.returncode == 2
    assert "none.conf" in missing.stderr
    bad = tmp_path / "bad.conf"
    bad.write_text("[invoke]\n\nmin_spare = 100000\n")
    refused = stack.berthd("--config", str(bad), "--check-config")
    assert refused.returncode == 2
    assert "min_spare" in refused.stderr and "3" in refused.stderr


def test_dump_config_shows_every_setting_and_loads_again(stack, tmp_path):
    dumped = stack.berthd("--config", str(stack.dir / "berth.conf"), "--dump-config")
    assert dumped.returncode == 0
    for name in ("instance", "min_spare", "queue_timeout_ms", "conninfo"):
        assert re.search(rf"^{name} = ", dumped.stdout, re.M)
    again = tmp_path / "again.conf"
    again.write_text(dumped.stdout)
    assert stack.berthd("--config", str(again), "--dump-config").stdout == dumped.stdout


def test_version_and_help_are_printed(stack):
    assert re.fullmatch(r"berthd \d+\.\d+\.\d+\n", stack.berthd("--version").stdout)
    shown = stack.berthd("--help")
    assert shown.returncode == 0
    for option in ("--config", "--status", "--check-config", "--dump-config", "--version", "--help"):
        assert option in shown.stdout
    assert "--child" not in shown.stdout and "--inherit" not in shown.stdout
    assert "USR2" in shown.stdout


@pytest.mark.parametrize("args", [["--nonsense"], ["file"], ["--config"], ["--child=invoke", "--slot=0", "--clients=1,1"], ["--child=x"]])
def test_a_wrong_command_line_is_status_2(stack, args):
    done = stack.berthd(*args)
    assert done.returncode == 2
    assert done.stderr.startswith("berthd: ") or "berthd: " in done.stderr


# The end


def test_sigterm_finishes_requests_in_flight_and_leaves_nothing(api, database, sleeper, stack):
    master, children = stack.master(), stack.children()
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 3))
    wait_for("it to run", lambda: api.leased())
    mark = stack.log_mark()
    try:
        master.kill(signal.SIGTERM)
        wait_for("new requests to be refused", lambda: api.get("/healthz").status_code == 502)
        check_problem(api.execute(sleeper), 502, "bad_gateway")
        assert call().status == 200
        wait_for("berthd to end", lambda: not master.is_alive(), 30)
        assert not any(p.is_alive() for p in children)
        assert stack.containers() == {}
        assert stack.sandbox_directories() == set()
        assert not (stack.dir / "run" / "berthd.pid").exists()
        assert "was killed" not in stack.log_since(mark)
        assert len(database.rows("select * from metrics where metric_id = :'id'", id=call().invocation_id)) == 1
    finally:
        stack.run("up")
    assert api.output(sleeper) == "slept"


def test_a_request_that_takes_too_long_does_not_hold_up_the_stop(api, sleeper, reload, stack):
    reload("master.stop_timeout_ms=1000")
    master = stack.master()
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 25))
    wait_for("it to run", lambda: api.leased())
    mark = stack.log_mark()
    try:
        master.kill(signal.SIGTERM)
        wait_for("berthd to end", lambda: not master.is_alive(), 10)
        assert "did not finish in time and is killed" in stack.log_since(mark)
        assert call().status == 502
        assert stack.containers() == {}
    finally:
        stack.run("up")
    assert api.output(sleeper) == "slept"


def test_stack_down_stops_everything_and_up_brings_it_back(api, database, sleeper, stack):
    master, children, containers = stack.master(), stack.children(), set(stack.containers())
    function = api.get(f"/functions/{sleeper['id']}").json()
    try:
        stack.run("down")
        assert not master.is_alive() and not any(p.is_alive() for p in children)
        if stack.engine_runs():  # it is stopped as well when only this stack needed it
            assert stack.containers() == {}
        assert list((stack.dir / "pids").glob("*.pid")) == []
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", stack.port)) != 0
        assert stack.run("status", check=False).returncode == 3
    finally:
        stack.run("up")
    assert stack.run("status").returncode == 0
    assert containers and not containers & set(stack.containers())
    assert api.get(f"/functions/{sleeper['id']}").json() == function
    assert api.output(sleeper) == "slept"


def test_up_again_changes_nothing_that_is_right(stack, api):
    before = {p.pid for p in [stack.master(), *stack.children(), *stack.nginx_workers()]}
    containers = set(stack.containers())
    stack.run("up")
    assert before <= {p.pid for p in [stack.master(), *stack.children(), *stack.nginx_workers()]}
    assert containers <= set(stack.containers()) or api.get("/readyz").status_code == 200


def test_up_waits_for_a_postgresql_that_is_stopping(stack, api):
    """Asked like that it refuses whoever comes, and stays as long as somebody is there."""
    pid = int((stack.dir / "pids" / "postgres").read_text().split()[0])
    api.get("/functions")
    os.kill(pid, signal.SIGTERM)

    def end():
        time.sleep(2)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)

    ended = in_background(end)
    try:
        time.sleep(0.3)
        assert stack.run("up", check=False).returncode == 0
    finally:
        ended()
        stack.run("up")
    wait_for("PostgreSQL to be used", lambda: api.get("/readyz").status_code == 200)
    assert api.get("/functions").status_code == 200
