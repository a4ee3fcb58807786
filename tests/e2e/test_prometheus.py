"""GET /metrics, and what scripts/monitoring makes of it: tested with promtool and a Prometheus that scrapes the stack."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest
import requests
from support import check_problem, wait_for

MONITORING = pathlib.Path(__file__).parents[2] / "scripts/monitoring"
QUICK = "def handler(event, context):\n    if event == 'fail':\n        raise ValueError('as asked')\n    return event\n"
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


def samples(text):
    """(name, labels) → value."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            key = (name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels or ""))))
            assert key not in found, line
            found[key] = float(value)
    return found


@pytest.fixture
def metrics(api):
    def read():
        answer = api.get("/metrics")
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return samples(answer.text)

    return read


def value(found, name, **labels):
    return found[(name, tuple(sorted(labels.items())))]


def test_promtool_has_no_complaint(api):
    text = api.get("/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_invocation_is_counted(api, deploy, metrics):
    function = deploy(QUICK)
    before = metrics()
    answers = [api.execute(function, "x") for _ in range(5)] + [api.execute(function, "fail")]
    json_body = {"Content-Type": "application/json"}
    check_problem(api.raw("POST", "/execute/nobody", "{}", json_body), 404, "not_found")
    check_problem(api.raw("POST", f"/execute/{function['id']}", "{", json_body), 400, "invalid_json")
    after = metrics()

    def grown(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    for start in ("cold", "prewarmed", "warm"):
        count = sum(answer.headers["Berth-Start"] == start for answer in answers)
        assert grown("berth_invocations_total", runtime="docker", start_kind=start) == count
    assert grown("berth_invocations_total", runtime="none", start_kind="none") == 2
    for runtime, code in (("docker", "function_error"), ("none", "not_found"), ("none", "invalid_json")):
        assert grown("berth_invocation_errors_total", runtime=runtime, code=code) == 1
    assert grown("berth_invocation_duration_seconds_count", runtime="docker") == 6
    assert grown("berth_invocation_exec_seconds_bucket", runtime="docker", le="+Inf") == 6
    assert 0 < grown("berth_invocation_exec_seconds_sum", runtime="docker") < 6
    assert grown("berth_response_bytes_total") >= sum(len(answer.content) for answer in answers)


def test_no_counter_goes_back_when_processes_are_replaced(api, deploy, metrics, reload):
    function = deploy(QUICK)
    for _ in range(3):
        api.execute(function, "x")
    before = metrics()
    reload("log.level=debug")
    after = metrics()
    counters = [key for key in before if key[0].startswith("berth_invocation") or key[0] == "berth_request_bytes_total"]
    assert len(counters) > 100
    assert [key for key in counters if after[key] < before[key]] == []


def test_the_pool_is_told_as_it_is(api, deploy, metrics):
    function = deploy(QUICK)
    api.execute(function, "x")
    wait_for("it to be idle", lambda: api.leased() == 0)

    def agrees():
        counts, found = api.get("/readyz").json()["pool"]["sandboxes"], metrics()
        return all(sum(value(found, "berth_sandboxes", runtime=runtime, state=state) for runtime in ("docker", "gvisor")) == counts[state]
                   for state in ("spare", "idle"))  # fmt: skip

    wait_for("the numbers to agree", agrees)
    found = metrics()
    assert value(found, "berth_poolmgr_up") == 1
    assert value(found, "berth_records_stored_up") == value(found, "berth_database_up") == 1
    assert value(found, "berth_lanes_longest") <= value(found, "berth_lanes_waiting")
    assert value(found, "berth_spool_quota_bytes") > value(found, "berth_spool_bytes") >= 0
    assert value(found, "berth_sandbox_starts_total", result="begun") > 0
    assert value(found, "berth_processes", role="collector", state="idle") + value(
        found, "berth_processes", role="collector", state="busy") == 1


def pool_numbers(found):
    return {key[0] for key in found if key[0].startswith(("berth_sandbox", "berth_lanes", "berth_spares", "berth_database"))}


def test_metrics_are_told_without_poolmgr_and_say_so(api, metrics, stack):
    (poolmgr,) = stack.children("poolmgr")
    failures = value(metrics(), "berth_process_failures_total", role="poolmgr")
    assert pool_numbers(metrics()) != set()
    poolmgr.kill(signal.SIGSTOP)
    try:
        assert value(metrics(), "berth_poolmgr_up") == 1  # it is there, and says nothing
    finally:
        poolmgr.kill()
    found = wait_for("its end to be told", lambda: (found := metrics()) and value(found, "berth_poolmgr_up") == 0 and found)
    assert pool_numbers(found) == set()
    assert value(found, "berth_process_failures_total", role="poolmgr") == failures + 1
    wait_for("the next one to be ready", lambda: value(metrics(), "berth_poolmgr_up") == 1, 30)


def test_metrics_are_told_without_postgresql_and_say_so(metrics, stack):
    pid = int((stack.dir / "pids" / "postgres").read_text().split()[0])
    os.kill(pid, signal.SIGINT)
    try:
        wait_for("its end to be told", lambda: value(metrics(), "berth_database_up") == 0, 30)
        assert value(metrics(), "berth_poolmgr_up") == 1
    finally:
        stack.run("up")
    wait_for("it to be back", lambda: value(metrics(), "berth_database_up") == 1, 30)


# What scripts/monitoring has


def test_alerts_fire_when_they_should_and_not_else():
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=MONITORING, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    names = re.findall(r"- alert: (\w+)", (MONITORING / "alerts.yml").read_text())
    tested = (MONITORING / "alerts_test.yml").read_text()
    for name in names:
        assert f"name: {name} fires" in tested and f"name: {name} stays quiet" in tested


def metric_names(text):
    return set(re.findall(r"berth_\w+", text))


def test_alerts_and_dashboard_use_metrics_that_there_are(metrics):
    there = {key[0] for key in metrics()}
    for file in ("alerts.yml", "dashboard.json"):
        assert metric_names((MONITORING / file).read_text()) - there == set()


@pytest.fixture(scope="module")
def prometheus(stack, tmp_path_factory):
    """A Prometheus of its own that scrapes the stack; ask it a query."""
    directory = tmp_path_factory.mktemp("prometheus")
    config = (MONITORING / "prometheus.yml").read_text()
    config = config.replace("/etc/berth/tls/cert.pem", str(stack.ca)).replace("localhost:8443", stack.url.removeprefix("https://"))
    config = config.replace("alerts.yml", str(MONITORING / "alerts.yml"))
    (directory / "prometheus.yml").write_text("global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n" + config)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = (directory / "log").open("w")
    process = subprocess.Popen(
        ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], stdout=log, stderr=log)  # fmt: skip

    def ask(path, **params):
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/api/v1/{path}", params=params, timeout=10)
        except requests.ConnectionError:
            return None
        if answer.status_code == 503:
            return None  # it begins
        assert answer.json()["status"] == "success", answer.text
        return answer.json()["data"]

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_a_prometheus_gets_data_for_every_panel_of_the_dashboard(api, deploy, prometheus, load):
    function = deploy(QUICK)
    load(lambda: api.execute(function, "x"), threads=1)
    load(lambda: api.execute(function, "fail"), threads=1)

    def scraped():
        found = prometheus("query", query="rate(berth_invocations_total[15s]) > 0")
        return found and found["result"]

    wait_for("a rate of requests", scraped, 60)
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(queries) > 20
    empty = []
    for query in queries:
        found = prometheus("query", query=query.replace("$__rate_interval", "15s"))
        if not found["result"] and not query.endswith("> 0"):
            empty.append(query)
    assert empty == []
    rules = prometheus("rules")["groups"][0]["rules"]
    assert {rule["health"] for rule in rules} == {"ok"}
    assert all(rule["state"] == "inactive" for rule in rules if rule["name"] == "BerthDown")
