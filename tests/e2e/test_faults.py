"""Whatever is killed or taken away costs at most what it held; then everything works, and every answer is on record."""

import collections
import os
import re
import shutil
import signal
import uuid

import pytest
from support import PYTHON_SANDBOX_ID, check_problem, in_background, wait_for
from traffic import QUICK, RECOVERY_S, Traffic

SLEEPER = PYTHON_SANDBOX_ID + "import time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return sandbox_id()\n"


@pytest.fixture
def sleeper(api, deploy):
    function = deploy(SLEEPER, timeout_ms=20000)
    function["sandbox"] = api.output(function)
    return function


@pytest.fixture
def traffic(api, database, deploy, load, stack):
    traffic = Traffic(api, database, deploy, load)
    yield traffic
    traffic.stop()
    traffic.check_records()
    wait_for("nothing to be left over", lambda: stack.is_tidy(api), 20)


def only_killed(traffic, most):
    """At most so many requests failed, each because its process was gone."""
    failed = traffic.failed()
    assert len(failed) <= most, failed
    for answer in failed:
        assert answer.error or (answer.status, answer.code) == (502, "bad_gateway"), answer


def busiest(workers):
    """The worker that has most descriptors open: the one that runs a function."""
    return max(workers, key=lambda p: len(os.listdir(f"/proc/{p.pid}/fd")))


# Kill -9 under load


def test_one_invoke_worker_costs_at_most_its_request(traffic, stack):
    killed = stack.children("invoke")[0]
    killed.kill()
    wait_for("it to be gone", lambda: not killed.is_alive())
    traffic.go_on(20)
    traffic.stop()
    only_killed(traffic, 1)


def test_all_invoke_workers_cost_at_most_their_requests(traffic, stack):
    for process in stack.children("invoke"):
        process.kill()
    traffic.go_on(20)
    traffic.stop()
    only_killed(traffic, 2 * Traffic.THREADS)


def test_a_control_worker_costs_no_invocation(traffic, stack):
    stack.children("control")[0].kill()
    traffic.go_on(20)
    traffic.stop()
    assert traffic.failed() == []
    assert len(traffic.api_load.failed()) <= 1


def test_all_control_workers_cost_no_invocation(traffic, stack):
    for process in stack.children("control"):
        process.kill()
    traffic.go_on(20)
    traffic.stop()
    assert traffic.failed() == []
    assert len(traffic.api_load.failed()) <= 1


def test_poolmgr_costs_no_invocation(traffic, stack):
    (before,) = stack.children("poolmgr")
    before.kill()
    traffic.go_on(20)
    (after,) = stack.children("poolmgr")
    assert after.pid != before.pid
    traffic.stop()
    assert traffic.failed() == []


def test_the_collector_costs_nothing(traffic, stack):
    for _ in range(2):
        (process,) = stack.children("collector")
        process.kill()
        wait_for("a new one", lambda: [p for p in stack.children("collector") if p.pid != process.pid])
        traffic.go_on(20)
    traffic.stop()
    assert traffic.failed() == []
    assert traffic.api_load.failed() == []


def test_an_nginx_worker_costs_only_its_connections(traffic, stack):
    killed = stack.nginx_workers()[0]
    killed.kill()
    wait_for("it to be replaced", lambda: killed.pid not in [p.pid for p in stack.nginx_workers()] and stack.nginx_workers())
    traffic.go_on(20)
    traffic.stop()
    assert all(a.error for a in traffic.failed()), traffic.failed()
    assert len(traffic.failed()) <= 2 * Traffic.THREADS


def test_what_killed_nginx_workers_had_counted_is_forgotten_when_the_configuration_is_read_again(api, sleeper, stack, reload):
    reload("client.max_requests=1")
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 10))
    wait_for("it to run", lambda: api.leased())
    killed = stack.nginx_workers()
    for worker in killed:
        worker.kill()
    assert call().error
    wait_for("others to take their places", lambda: len(stack.nginx_workers()) == len(killed))
    check_problem(api.execute(sleeper), 429, "throttled")
    assert "requests are counted from zero again" in stack.run("up").stderr
    assert api.output(sleeper)
    assert "counted from zero" not in stack.run("up").stderr


def test_the_master_is_started_again_and_all_works(traffic, stack, api):
    before = stack.children()
    master = stack.master()
    master.kill()
    wait_for("its children to finish and go", lambda: not any(p.is_alive() for p in before), 20)
    stack.run("up")
    traffic.go_on(20)
    traffic.stop()
    for answer in traffic.failed():
        assert answer.error or answer.code in ("bad_gateway", "runtime_unavailable", "draining"), answer
    assert stack.master().pid != master.pid


def test_the_master_can_be_started_again_at_once(traffic, stack):
    stack.master().kill()
    stack.run("up")
    traffic.go_on(20)
    traffic.stop()
    for answer in traffic.failed():
        assert answer.error or answer.code in ("bad_gateway", "runtime_unavailable", "draining"), answer


def test_one_after_the_other_is_killed(traffic, stack):
    for role in ("invoke", "collector", "poolmgr", "control", "invoke", "collector"):
        stack.children(role)[0].kill()
        traffic.go_on(20)
    traffic.stop()
    only_killed(traffic, 2)


# Kill -9 in the middle of an invocation


def test_a_worker_killed_in_an_invocation_costs_that_one_and_its_sandbox(api, sleeper, stack):
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 10))
    wait_for("it to run", lambda: api.leased())
    busiest(stack.children("invoke")).kill()
    answer = call()
    assert (answer.status, answer.code, answer.invocation_id) == (502, "bad_gateway", None)
    assert answer.ended - answer.started < 5
    wait_for("its container to go", lambda: stack.sandbox_container(sleeper["sandbox"]) is None, 5)
    wait_for("its directory to go", lambda: sleeper["sandbox"] not in stack.sandbox_directories(), 5)
    assert api.output(sleeper) != sleeper["sandbox"]


def test_an_invocation_outlives_poolmgr(api, database, sleeper, stack):
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 4))
    wait_for("it to run", lambda: api.leased())
    stack.children("poolmgr")[0].kill()
    wait_for("the next poolmgr", lambda: len(stack.children("poolmgr")) == 1 and api.get("/readyz").status_code == 200)
    answer = call()
    assert (answer.status, answer.output) == (200, sleeper["sandbox"])
    assert database.metric(answer.invocation_id)["status"] == 200
    wait_for("its container to go", lambda: stack.sandbox_container(sleeper["sandbox"]) is None, 5)
    assert api.output(sleeper) != sleeper["sandbox"]
    wait_for("nothing to be left over", lambda: stack.is_tidy(api), 10)


@pytest.mark.parametrize("restart", ["at once", "later"])
def test_an_invocation_outlives_the_master(api, database, sleeper, stack, restart):
    # Longer than the next poolmgr waits before it removes what it does not know.
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 4 if restart == "at once" else 2))
    wait_for("it to run", lambda: api.leased())
    stack.master().kill()
    try:
        if restart == "later":
            answer = call()
    finally:
        stack.run("up")
    answer = call()
    assert (answer.status, answer.text and answer.output) == (200, sleeper["sandbox"])
    assert database.metric(answer.invocation_id)["status"] == 200
    assert api.output(sleeper) != sleeper["sandbox"]
    wait_for("its container to go", lambda: stack.sandbox_container(sleeper["sandbox"]) is None, 5)
    wait_for("nothing to be left over", lambda: stack.is_tidy(api), 10)


def test_a_deployment_outlives_no_worker_but_stores_all_or_nothing(api, database, deploy, stack):
    slow = "import time\ntime.sleep(2)\ndef handler(event, context):\n    return 1\n"
    before = database.counts()
    name = f"slow-{uuid.uuid4().hex[:8]}"
    api.wait_for_rest()
    call = in_background(lambda: api.post("/functions", json={"name": name, "language": "python", "code": slow}))
    wait_for("it to load", lambda: api.leased())
    for process in stack.children("deploy"):
        process.kill()
    assert call().status == 502
    wait_for("the API to work", lambda: api.get(f"/functions/{name}").status_code == 404)
    assert database.counts() == before
    deploy(slow, name=name)


@pytest.mark.parametrize("when", ["while it is tried", "while poolmgr does not answer"])
def test_a_deployment_outlives_poolmgr(api, deploy, stack, when):
    function = deploy("def handler(event, context):\n    return 1\n")
    assert api.output(function) == 1
    code = "import time\ntime.sleep(1)\ndef handler(event, context):\n    return 2\n"
    (poolmgr,) = stack.children("poolmgr")
    api.wait_for_rest()
    if when == "while poolmgr does not answer":
        poolmgr.kill(signal.SIGSTOP)
    changed = in_background(lambda: api.put(f"/functions/{function['id']}", json={"code": code}))
    if when == "while it is tried":
        wait_for("the new version to load", lambda: api.leased())
    poolmgr.kill()
    assert changed().status == 200
    assert api.output(function) == 2
    wait_for("nothing to be left over", lambda: stack.is_tidy(api), 20)


# PostgreSQL


class Postgres:
    def __init__(self, stack):
        self.stack = stack

    def stop(self, signal_number):
        pid = int((self.stack.dir / "pids" / "postgres").read_text().split()[0])
        os.kill(pid, signal_number)
        wait_for("PostgreSQL to stop", lambda: not os.path.exists(f"/proc/{pid}/stat"), 20)

    def start(self):
        self.stack.run("up")


@pytest.fixture
def postgres(stack):
    postgres = Postgres(stack)
    yield postgres
    postgres.start()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["shutdown", "crash"])
def test_without_postgresql_warm_functions_run_and_the_rest_says_store_unavailable(api, deploy, how, postgres, stack, traffic):
    cold = deploy(QUICK["python"])
    held = {p.pid for p in stack.children() if p.role not in ("invoke", "deploy")}  # which come and go
    mark = stack.log_mark()
    invoked = [len(one.answers) for one in traffic.loads]
    body = {"name": "not-stored", "language": "python", "code": QUICK["python"]}
    postgres.stop(how)
    for _ in range(3):
        check_problem(api.execute(cold, 1), 503, "store_unavailable")
        check_problem(api.get("/functions"), 503, "store_unavailable")
        check_problem(api.get(f"/functions/{cold['id']}"), 503, "store_unavailable")
        check_problem(api.post("/functions", json=body), 503, "store_unavailable")
        check_problem(api.put(f"/functions/{cold['id']}", json={"timeout_ms": 1000}), 503, "store_unavailable")
        check_problem(api.delete(f"/functions/{cold['id']}"), 503, "store_unavailable")
    not_ready = api.get("/readyz")
    assert (not_ready.status_code, not_ready.json()["checks"]["database"]["status"]) == (503, "failed")
    assert str(stack.dir) not in not_ready.text + api.get("/metrics/system").text
    assert api.get("/healthz").status_code == 200
    for one in traffic.loads:
        one.wait_for_more(20)
    postgres.start()
    wait_for("the cold function to run", lambda: api.execute(cold, 1).status_code == 200, RECOVERY_S)
    path = f"/functions/{cold['id']}"  # each worker finds out by itself
    wait_for("the API to work", lambda: {api.get(path).status_code for _ in range(10)} == {200}, RECOVERY_S)
    assert api.get(path).json()["version"] == 1
    traffic.go_on(20)
    traffic.stop()
    assert traffic.failed() == []
    assert held <= {p.pid for p in stack.children()}  # nobody died of it
    assert "was killed" not in stack.log_since(mark) and "exited with status 1" not in stack.log_since(mark)
    assert all(len(one.answers) > before for one, before in zip(traffic.loads, invoked))


def test_each_process_says_once_that_postgresql_is_away_and_once_that_it_is_back(api, postgres, stack):
    def ask():
        """Ten at a time, so that several workers are asked."""
        return [call().status for call in [in_background(lambda: api.get("/functions?limit=1")) for _ in range(10)]]

    ask()
    mark = stack.log_mark()

    def lines(text):
        """How many lines with that text each control worker has written."""
        return collections.Counter(re.findall(rf"proc=control/\d+ pid=(\d+) .*{text}", stack.log_since(mark)))

    postgres.stop(signal.SIGINT)
    for _ in range(6):
        assert set(ask()) == {503}
        assert api.get("/readyz").status_code == 503
    away = lines("PostgreSQL")
    assert away and set(away.values()) == {1}, away
    assert lines("PostgreSQL is back") == {}
    postgres.start()

    # A worker may be back that was not asked meanwhile: it had said in an earlier test that PostgreSQL is away.
    wait_for("all of them to be back", lambda: ask() and lines("PostgreSQL is back") >= away, 60)
    for _ in range(3):
        assert set(ask()) == {200}
    back = lines("PostgreSQL is back")
    assert set(back.values()) == {1}, back
    assert lines("PostgreSQL") == away + back


def test_connections_that_break_again_and_again_lose_and_double_no_record(database, traffic):
    for _ in range(5):
        database.as_superuser().rows("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'berth%'")
        for one in traffic.loads:
            one.wait_for_more(10)
    traffic.go_on(10)
    traffic.stop()
    assert traffic.failed() == []


# Docker


def test_an_idle_container_that_is_removed_costs_nothing(api, sleeper, stack):
    for _ in range(3):
        sandbox = api.output(sleeper)
        stack.docker("rm", "-f", stack.sandbox_container(sandbox))
        after = api.output(sleeper)
        assert after != sandbox
        wait_for("its directory to go", lambda: sandbox not in stack.sandbox_directories(), 5)


def test_a_running_container_that_is_removed_costs_its_invocation(api, database, sleeper, stack):
    api.wait_for_rest()
    call = in_background(lambda: api.execute(sleeper, 15))
    wait_for("it to run", lambda: api.leased())
    stack.docker("rm", "-f", stack.sandbox_container(sleeper["sandbox"]))
    answer = call()
    assert (answer.status, answer.code) == (502, "sandbox_exited")
    assert answer.ended - answer.started < 10
    assert database.metric(answer.invocation_id)["error_code"] == "sandbox_exited"
    assert api.output(sleeper) != sleeper["sandbox"]
    wait_for("nothing to be left over", lambda: stack.is_tidy(api), 10)


def test_all_containers_removed_at_once_cost_at_most_what_ran_in_them(api, stack, traffic):
    stack.docker("rm", "-f", *stack.containers(), check=False)
    traffic.go_on(20)
    traffic.stop()
    assert len(traffic.failed()) <= 2 * Traffic.THREADS
    assert {(a.status, a.code) for a in traffic.failed()} <= {(502, "sandbox_exited")}


def test_what_an_earlier_poolmgr_left_is_gone_within_seconds(api, stack):
    """A container and a directory that no poolmgr knows; those of another instance are left alone."""
    image = stack.inspect_all()[0]["Config"]["Image"]
    ours, others = uuid.uuid4().hex[:16], uuid.uuid4().hex[:16]

    def create(instance, sandbox):
        labels = ["--label", f"berth.instance={instance}", "--label", f"berth.sandbox={sandbox}"]
        return stack.docker(
            "run", "-d", "--network", "none", *labels, "--name", f"berth-{instance}-{sandbox}", image, "sleep", "600"
        ).strip()

    stranger = create(f"{stack.instance}-other", others)
    try:
        (process,) = stack.children("poolmgr")
        left = create(stack.instance, ours)
        directory = stack.dir / "state" / "sandboxes" / ours / "function"
        directory.mkdir(parents=True)
        for path in (directory, directory.parent):
            shutil.chown(path, "berth-pool", "berth-pool")
        process.kill()
        wait_for("the container to go", lambda: left not in stack.containers(), RECOVERY_S)
        wait_for("the directory to go", lambda: ours not in stack.sandbox_directories(), RECOVERY_S)
        assert stack.inspect(stranger)["State"]["Running"]
    finally:
        stack.docker("rm", "-f", stranger)
    wait_for("nothing else to be left", lambda: stack.is_tidy(api), 20)


def test_after_kill_nine_of_poolmgr_its_spares_and_idle_sandboxes_are_removed(api, deploy, stack):
    functions = [deploy(QUICK["python"]) for _ in range(3)]
    for function in functions:
        api.output(function, 1)
    before = set(stack.containers())
    stack.children("poolmgr")[0].kill()
    wait_for("all of them to go", lambda: not before & set(stack.containers()), RECOVERY_S)
    wait_for("only new ones to be there", lambda: stack.is_tidy(api), 10)
    assert collections.Counter(api.output(function, 1) for function in functions) == {1: 3}
