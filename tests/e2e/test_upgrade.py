"""SIGUSR2: a newer berthd takes over while the old one finishes what it has; no request notices."""

import os
import re
import shutil
import signal
import time

import pytest
from support import PYTHON_SANDBOX_ID, Process, in_background, wait_for

QUICK = {
    "python": "def handler(event, context):\n    return event\n",
    "javascript": "exports.handler = async (event) => event;\n",
}
SLEEPER = PYTHON_SANDBOX_ID + "import time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return sandbox_id()\n"


@pytest.fixture(scope="module")
def sleeper(deploy_once):
    return deploy_once(SLEEPER, timeout_ms=60000)


class Traffic:
    """Fast functions in each language, slow ones and the API, without a pause."""

    def __init__(self, api, database, deploy, load):
        self.database = database
        self.loads = {}
        for name, code, event, threads in (
            ("python", QUICK["python"], "x", 3),
            ("javascript", QUICK["javascript"], "x", 3),
            ("slow", SLEEPER, 0.7, 4),
        ):
            language = "javascript" if name == "javascript" else "python"
            function = deploy(code, language=language, timeout_ms=10000)
            self.loads[function["id"]] = load(lambda f=function, e=event: api.execute(f, e), threads=threads)
        function_id = next(iter(self.loads))
        self.api_load = load(lambda: api.get(f"/functions/{function_id}"), threads=2)
        self.go_on()

    def go_on(self):
        for one in (*self.loads.values(), self.api_load):
            one.wait_for_more(12)

    def check(self):
        """Every request was answered with success, and every invocation is on record once."""
        for one in (*self.loads.values(), self.api_load):
            one.stop()
            assert one.failed() == []
        for function_id, one in self.loads.items():
            answered = {a.invocation_id for a in one.answers}
            assert len(answered) == len(one.answers)
            wait_for("all to be stored", lambda: self.database.stored(function_id).keys() >= answered, 20)
            stored = self.database.stored(function_id)
            assert stored.keys() == answered
            assert {i: rows for i, rows in stored.items() if len(rows) != 1 or rows[0]["status"] != 200} == {}


@pytest.fixture
def traffic(api, database, deploy, load):
    return Traffic(api, database, deploy, load)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(stack, api):
    yield
    wait_for("one berthd to be there, with what belongs to it", lambda: stack.is_tidy(api), 20)
    lanes = {f"invoke-{i}.sock" for i in range(int(stack.settings()["invoke.lanes"]))}
    lanes |= {f"{pool}-{i}.sock" for pool in ("deploy", "query") for i in range(16)} | {"health-0.sock", "health-1.sock"}
    assert {p.name for p in (stack.dir / "run").iterdir()} == lanes | {"berthd.pid", "control.sock", "follow.sock", "poolmgr.sock"}


class Berthd:
    """The master that runs now and its children, while another one may take over."""

    def __init__(self, stack):
        self.stack, self.master, self.children = stack, stack.master(), stack.children()
        self.mark = stack.log_mark()

    def upgrade(self):
        """Asks it to; returns the next one, which is ready."""
        self.master.kill(signal.SIGUSR2)
        wait_for("the next one", lambda: self.stack.master() and self.stack.master().pid != self.master.pid, 30)
        return Berthd(self.stack)

    def alive(self):
        return [p for p in (self.master, *self.children) if p.is_alive()]

    def wait_until_gone(self, timeout_s=30):
        wait_for("the one before to be gone", lambda: not self.alive(), timeout_s)

    def said(self, text):
        return re.search(text, self.stack.log_since(self.mark))


@pytest.fixture
def berthd(stack, api):
    return Berthd(stack)


# Under load


def test_an_upgrade_under_load_loses_no_request_and_no_record(berthd, traffic):
    after = berthd.upgrade()
    traffic.go_on()
    berthd.wait_until_gone()
    assert all(p.is_alive() for p in after.children)
    traffic.go_on()
    traffic.check()
    assert not berthd.said("was killed|level=error")


def test_the_new_one_has_spares_when_it_takes_over(api, berthd, deploy):
    functions = [deploy(code, language=language) for language, code in QUICK.items()]
    for _ in range(3):
        berthd.upgrade()
        starts = [api.execute(function).headers["Berth-Start"] for function in functions]
        assert set(starts) <= {"prewarmed", "warm"}  # warm: the one before took it yet
        berthd.wait_until_gone()
        berthd = Berthd(berthd.stack)


def test_two_upgrades_in_a_row_lose_no_request_either(berthd, traffic):
    second = berthd.upgrade()
    third = second.upgrade()
    traffic.go_on()
    berthd.wait_until_gone()
    second.wait_until_gone()
    assert all(p.is_alive() for p in third.children)
    traffic.check()
    assert not berthd.said("was killed|level=error")


# What is in flight


def test_a_request_that_runs_during_the_upgrade_finishes_however_long_it_takes(api, berthd, database, reload, sleeper, stack):
    reload("master.stop_timeout_ms=500")
    api.output(sleeper)
    api.wait_for_rest()
    before = Berthd(stack)
    call = in_background(lambda: api.execute(sleeper, 6))
    wait_for("it to run", lambda: api.leased())
    after = before.upgrade()
    wait_for("the rest to be gone", lambda: {p.role for p in before.alive()} == {"", "invoke", "poolmgr", "warden"}, 5)
    assert api.output(sleeper) != ""  # by the new one, beside it
    answer = call()
    assert (answer.status, answer.ended - answer.started >= 6) == (200, True)
    assert database.metric(answer.invocation_id)["status"] == 200
    before.wait_until_gone(10)
    assert all(p.is_alive() for p in after.children)


def test_a_request_finishes_though_nginx_takes_a_new_configuration_meanwhile(api, reload, sleeper, stack):
    reload("master.stop_timeout_ms=500")
    api.output(sleeper)
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 3))
    wait_for("it to run", lambda: api.leased())
    before = stack.nginx_workers()
    stack.nginx("-s", "reload")
    wait_for("the new workers", lambda: {p.pid for p in stack.nginx_workers()} - {p.pid for p in before})
    answer = call()
    assert (answer.status, answer.ended - answer.started >= 3) == (200, True)
    wait_for("the workers from before to end", lambda: not any(p.is_alive() for p in before))


def test_a_deployment_that_runs_during_the_upgrade_finishes(api, berthd, deploy):
    slow = "import time\ntime.sleep(2)\ndef handler(event, context):\n    return 1\n"
    function = deploy("def handler(event, context):\n    return 0\n")
    api.wait_for_rest()
    call = in_background(lambda: api.put(f"/functions/{function['id']}", json={"code": slow}))
    wait_for("it to load", lambda: api.leased())
    berthd.upgrade()
    assert call().status == 200
    assert api.output(function) == 1
    berthd.wait_until_gone()


def test_the_sandboxes_of_both_are_left_alone_by_the_other(api, berthd, sleeper, stack):
    """Each compares Docker with what it knows, at its start and at its end."""
    api.wait_for_rest()
    held = in_background(lambda: api.execute(sleeper, 4))
    wait_for("it to run", lambda: api.leased())
    berthd.upgrade()
    of_the_new = api.output(sleeper)
    answer = held()
    assert answer.status == 200
    berthd.wait_until_gone()
    assert stack.sandbox_container(answer.output) is None
    assert stack.sandbox_container(of_the_new) is not None
    assert api.output(sleeper) == of_the_new


# An upgrade that fails


# What a test spoils is put right before the settings it has changed: the fixture `reload`, which needs both, comes first.


@pytest.fixture
def program(stack):
    """The installed program."""
    path = stack.dir / "install" / "sbin" / "berthd"
    kept = path.with_suffix(".kept")
    shutil.copy2(path, kept)
    yield path
    os.replace(kept, path)


@pytest.fixture
def configuration(stack):
    path = stack.dir / "berth.conf"
    good = path.read_text()
    yield path
    path.write_text(good)


def spoil_program(path, text, mode=0o755):
    """Another file in its place: the one that runs cannot be written to."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(mode)
    os.replace(new, path)


def fails(berthd, why, timeout_s=15):
    """The upgrade does, says why, and leaves everything as it was."""
    berthd.master.kill(signal.SIGUSR2)
    wait_for("it to fail", lambda: berthd.said("upgrade failed: .*; this one goes on"), timeout_s)
    assert berthd.said(why), berthd.stack.log_since(berthd.mark)
    assert berthd.stack.master().pid == berthd.master.pid
    for process in (berthd.master, *berthd.children):
        assert process.is_alive() or process.role in ("invoke", "deploy", "query", "health", "control", "follow")  # they come and go


def test_a_broken_configuration_leaves_the_old_one_running(berthd, configuration, traffic):
    configuration.write_text(configuration.read_text() + "[invoke]\nmin_spare = many\n")
    fails(berthd, r"berth\.conf.*min_spare")
    traffic.check()


@pytest.mark.parametrize(
    "spoil, why",
    [
        (lambda path: spoil_program(path, "", 0o644), "execute '.*/sbin/berthd': Permission denied"),
        (lambda path: spoil_program(path, "neither a program nor a script\n"), "execute '.*/sbin/berthd': Exec format error"),
        (lambda path: path.unlink(), "execute '.*/sbin/berthd': No such file"),
        (lambda path: spoil_program(path, "#!/bin/sh\nexit 3\n"), r"the new berthd \(pid \d+\) exited with status 3"),
    ],
    ids=["not executable", "no program", "missing", "ends at once"],
)
def test_a_program_that_does_not_run_leaves_the_old_one_running(berthd, program, spoil, traffic, why):
    spoil(program)
    fails(berthd, why)
    traffic.check()


def test_a_program_that_never_gets_ready_is_ended(reload, program, stack, traffic):
    reload("master.upgrade_timeout_ms=1000", "master.stop_timeout_ms=1000")
    berthd = Berthd(stack)
    spoil_program(program, "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n")
    fails(berthd, "was not ready within master.upgrade_timeout_ms")
    assert berthd.said(r"the new berthd \(pid \d+\) did not end in time and is killed")
    traffic.check()


@pytest.mark.parametrize("setting", ["[master]\nrun_dir = {}", "[master]\nstate_dir = {}", "[invoke]\nlanes = 1"])
def test_a_setting_that_would_lose_requests_leaves_the_old_one_running(berthd, configuration, setting, tmp_path, traffic):
    configuration.write_text(configuration.read_text() + setting.format(tmp_path / "other") + "\n")
    fails(berthd, "berthd does not start: .*only a restart changes that")
    traffic.check()


def test_a_berthd_whose_children_do_not_start_leaves_the_old_one_running_and_nothing_else(
    reload, configuration, stack, traffic
):
    reload("master.upgrade_timeout_ms=5000")  # enough for the children to be started
    berthd = Berthd(stack)
    good = configuration.read_text()
    runtimes = stack.dir / "no-runtimes"
    configuration.write_text(good + f"[sandbox]\nruntimes_dir = {runtimes}\n")
    fails(berthd, "was not ready within master.upgrade_timeout_ms", 30)
    assert berthd.said("cannot start: .*no-runtimes")
    traffic.check()
    configuration.write_text(good)
    reload("master.upgrade_timeout_ms=")  # the next one has its time,
    berthd = Berthd(stack)
    berthd.upgrade()  # and finds nothing in its way
    berthd.wait_until_gone()


def test_signals_that_come_at_a_bad_time_are_answered_in_the_log(api, reload, program, sleeper, stack):
    reload("master.upgrade_timeout_ms=1500")
    berthd = Berthd(stack)
    spoil_program(program, "#!/bin/sh\nexec sleep 600\n")
    berthd.master.kill(signal.SIGUSR2)
    wait_for("the first", lambda: berthd.said("is to take over"))
    berthd.master.kill(signal.SIGUSR2)
    wait_for("the second", lambda: berthd.said("SIGUSR2: an upgrade is under way"))
    wait_for("it to fail", lambda: berthd.said("upgrade failed: .*; this one goes on"))
    assert api.output(sleeper)


# The end


def test_sigterm_after_an_upgrade_leaves_nothing_not_even_of_the_one_before(api, berthd, database, sleeper, stack):
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 4))
    wait_for("it to run", lambda: api.leased())
    after = berthd.upgrade()
    assert berthd.master.is_alive()
    try:
        after.master.kill(signal.SIGTERM)
        wait_for("the new one to end", lambda: not after.alive(), 30)
        assert berthd.alive() == []
        assert call().status == 200  # it had the time of a stop
        assert len(database.rows("select * from metrics where metric_id = :'id'", id=call().invocation_id)) == 1
        assert stack.containers() == {}
        assert stack.sandbox_directories() == set()
        assert list((stack.dir / "run").iterdir()) == []
    finally:
        stack.run("up")
    assert api.output(sleeper)


def test_the_one_before_does_not_hold_up_the_stop_for_longer_than_any(api, berthd, reload, sleeper, stack):
    reload("master.stop_timeout_ms=1000")
    before = Berthd(stack)
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 30))
    wait_for("it to run", lambda: api.leased())
    after = before.upgrade()
    try:
        after.master.kill(signal.SIGTERM)
        wait_for("both to end", lambda: not after.alive() and not before.alive(), 10)
        assert call().status == 502
        assert stack.containers() == {}
    finally:
        stack.run("up")


def test_a_new_master_that_is_killed_is_started_again_while_the_one_before_finishes(api, berthd, sleeper, stack):
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 15))
    wait_for("it to run", lambda: api.leased())
    after = berthd.upgrade()
    after.master.kill()
    stack.run("up")
    assert berthd.master.is_alive()
    assert api.output(sleeper)
    assert call().status == 200
    berthd.wait_until_gone()


# scripts/stack


def test_stack_upgrade_installs_and_waits_and_down_finds_the_new_one(api, berthd, sleeper, stack, traffic):
    inode = (stack.dir / "install" / "sbin" / "berthd").stat().st_ino
    done = stack.run("upgrade", "--set", "pool.min_spares=1")
    assert "has taken over" in done.stderr
    assert stack.settings()["pool.min_spares"] == "1"
    assert stack.run("status").returncode == 0
    assert stack.master().pid != berthd.master.pid
    assert inode == (stack.dir / "install" / "sbin" / "berthd").stat().st_ino  # it is what it was
    stack.run("upgrade", "--set", "pool.min_spares=")
    traffic.check()
    berthd.wait_until_gone()
    now = Berthd(stack)
    stack.run("down")
    assert now.alive() == []
    stack.run("up")
    assert api.output(sleeper)


def test_stack_upgrade_tells_when_it_failed(api, berthd, program, sleeper, stack):
    spoil_program(program, "#!/bin/sh\ncase $* in *--inherit*) exit 1 ;; esac\nexec " + str(program.with_suffix(".kept")) + ' "$@"\n')
    done = stack.run("upgrade", check=False)
    assert done.returncode == 1
    assert "the upgrade failed, and the old berthd goes on" in done.stderr
    assert stack.master().pid == berthd.master.pid
    assert api.output(sleeper)
