"""What takes long holds up nothing that does not: deployments of code that never finishes loading, and searches in many logs."""

import statistics
import threading
import time
import uuid

import pytest
import requests
from support import Api, in_background, wait_for

pytestmark = pytest.mark.alone

HANGS = "import time\ntime.sleep(600)\ndef handler(event, context):\n    pass\n"
WELL = "def handler(event, context):\n    return event\n"
COUNT = 32  # of each
LOGS = 150  # of a MB
SAMPLES = 150
FLOOR_S = 0.05  # the scheduler alone may take as long; what stands behind a trial takes seconds
LEGITIMATE_S = 90  # by turns with those that hang, each for deploy.trial_timeout_ms; on a busy machine


@pytest.fixture(scope="module")
def searched(database, deploy_once):
    """A function with logs in which nothing is found."""
    function = deploy_once(WELL)
    database.run(f"""
        with text as materialized (
            select convert_to(string_agg(md5(i::text), ''), 'UTF8') as log from generate_series(1, 32768) i),
        ids as materialized (
            select gen_random_uuid() as id, now() - i * interval '1 second' as at from generate_series(1, {LOGS}) i),
        m as (
            insert into metrics (metric_id, function_id, version, request_id, request_timestamp, response_time_ms, queue_ms,
                init_ms, exec_ms, overhead_ms, runtime, node, status, error_flag, request_bytes, response_bytes)
            select id, '{function["id"]}', 1, 'r', at, 1, 0, 0, 1, 0, 'docker', 'n', 200, false, 0, 0 from ids)
        insert into invocation_logs (metric_id, function_id, request_timestamp, log, times, streams, log_bytes, orphan_bytes)
        select id, '{function["id"]}', at, log, '', '', length(log), 0 from ids, text""")
    yield f"/functions/{function['id']}/invocations?text=nothing-like-it"
    # They are in no sums, which others compare with what there is.
    for table in ("invocation_logs", "metrics"):
        database.run(f"delete from {table} where function_id = '{function['id']}'")


class Crowd:
    """Clients that send the same again and again, as Retry-After allows."""

    def __init__(self, apis, send):
        self.send, self.statuses, self.stopping = send, [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(api,), daemon=True) for api in apis]
        for thread in self.threads:
            thread.start()

    def run(self, api):
        while not self.stopping.is_set():
            answer = self.send(api)
            self.statuses.append(answer.status_code)
            if answer.status_code in (429, 503):
                self.stopping.wait(int(answer.headers["Retry-After"]))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()


class Crowds:
    """All of a test, and the functions they deploy."""

    def __init__(self):
        self.all, self.mark = [], f"hangs-{uuid.uuid4().hex[:8]}"

    def deploy(self, api, code):
        body = {"name": f"{self.mark}-{uuid.uuid4().hex[:8]}", "language": "python", "code": code, "init_timeout_ms": 20000}
        return api.post("/functions", json=body, timeout=120)

    def start(self, apis, send):
        self.all.append(Crowd(apis, send))
        return self.all[-1]

    def stop(self):
        for one in self.all:
            one.stopping.set()
        for one in self.all:
            one.stop()


@pytest.fixture
def crowds(api):
    crowds = Crowds()
    yield crowds
    crowds.stop()
    path = "/functions?limit=200"
    while path is not None:
        page = api.get(path).json()
        for function in page["items"]:
            if function["name"].startswith(crowds.mark):
                api.delete_for_sure(f"/functions/{function['id']}")
        path = f"/functions?limit=200&cursor={page['next']}" if page["next"] else None


def clients(stack, number, many):
    """So many, each from an address of its own, or all from one."""
    return [Api(stack.url, stack.ca, f"127.0.{number}.{i if many else 1}") for i in range(1, COUNT + 1)]


QUICK = ("/healthz", "/functions?limit=1", "/readyz")
STATIC = "/"  # nginx alone: what the machine itself makes of it


def p99(stack):
    """Of each path, asked in turn over one connection: what the machine does meanwhile concerns all alike."""
    times = {path: [] for path in (STATIC, *QUICK)}
    with requests.Session() as session:
        session.trust_env, session.verify = False, stack.ca
        for _ in range(SAMPLES):
            for path, taken in times.items():
                start = time.monotonic()
                answer = session.get(stack.url + path, timeout=60)
                taken.append(time.monotonic() - start)
                assert answer.status_code == 200, answer.text
    return {path: statistics.quantiles(taken, n=100)[98] for path, taken in times.items()}


def busy(api, role):
    return api.get("/metrics/system").json()["processes"][role]["busy"]


@pytest.mark.parametrize("many", [False, True], ids=["one client", "many clients"])
def test_hanging_deployments_and_searches_hold_up_neither_the_api_nor_other_deployments(
    api, crowds, many, searched, stack
):
    before = p99(stack)
    most = int(stack.settings()["deploy.max_workers"])
    deployments = crowds.start(clients(stack, 1, many), lambda client: crowds.deploy(client, HANGS))
    searches = crowds.start(clients(stack, 2, many), lambda client: client.get(searched, timeout=120))
    wait_for("the trials to hang", lambda: busy(api, "deploy") >= (most if many else most // 2), 60)
    wait_for("the searches to run", lambda: searches.statuses, 60)

    # A window may fall into a bad moment of the machine; what stands behind a trial does so in every window.
    for _ in range(4):
        now = p99(stack)
        late = [path for path in QUICK if now[path] > max(2 * before[path], 2 * now[STATIC], FLOOR_S)]
        if not late:
            break
    assert not late, (before, now)

    for _ in range(2):
        wait_for("a deployment to get through", lambda: crowds.deploy(api, WELL).status_code == 201, LEGITIMATE_S)
    if not many:
        # A large search may take PostgreSQL longer than it may, on a busy machine.
        small = searched.partition("?")[0] + "?limit=2"
        wait_for("a search to get through", lambda: api.get(small).status_code == 200, LEGITIMATE_S)
        # The other half is for others. One more may just be looking.
        assert max(busy(api, "deploy") for _ in range(20)) <= most // 2 + 1
    crowds.stop()
    assert set(deployments.statuses) <= {201, 429, 503}
    assert set(searches.statuses) <= {200, 429, 503}


def test_health_is_told_at_once_while_postgresql_keeps_all_others_waiting(api, database, in_transaction, stack):
    workers = int(stack.settings()["control.workers"])
    kept = "select count(*) from pg_stat_activity where application_name = 'berth-control' and wait_event_type = 'Lock'"
    with in_transaction("lock table functions"):
        waiting = [in_background(lambda: api.get("/functions")) for _ in range(2 * workers)]
        wait_for("the control workers to wait", lambda: database.as_superuser().value(kept) >= workers)
        for path in ("/healthz", "/readyz", "/limits", "/metrics"):
            start = time.monotonic()
            assert api.get(path).status_code == 200
            assert time.monotonic() - start < 1, path  # the others take database.statement_timeout_ms, several times over
    assert {one().status for one in waiting} <= {200, 503}
