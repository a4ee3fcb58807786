"""A function runs on the runtime it names; what the node has, and what it allows, can be asked for."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support import RUNTIMES, check_problem, unique, wait_for

DAEMON_JSON = Path("/etc/docker/daemon.json")
GVISOR = "berth-runsc"
SAME = "def handler(event, context):\n    return event\n"
KERNEL = "import os\ndef handler(event, context):\n    return [os.getuid(), os.uname().release]\n"
GVISOR_KERNEL = "4.4.0"  # what gVisor says it is

# Each with its setting's name for the default and for the most, where there is one.
LIMITS = {
    "timeout_ms": ("timeout_default_ms", "timeout_max_ms"),
    "init_timeout_ms": ("init_timeout_default_ms", "init_timeout_max_ms"),
    "memory_limit_mb": ("memory_default_mb", "memory_max_mb"),
    "cpus": (None, None),
    "tmp_mb": ("tmp_default_mb", "tmp_max_mb"),
    "tmp_inodes": ("tmp_inodes_default", "tmp_inodes_max"),
    "pids": ("pids_default", "pids_max"),
    "nofile": ("nofile_default", "nofile_max"),
    "response_bytes": ("response_bytes", "response_bytes"),
    "log_bytes": ("log_default_bytes", "log_max_bytes"),
    "max_concurrency": ("concurrency_default", "concurrency_max"),
}


def available(api):
    """Runtime → whether poolmgr has found it."""
    runtimes = (api.get("/readyz").json().get("pool") or {}).get("runtimes", {})
    return {name: runtime["available"] for name, runtime in runtimes.items()}


def test_a_function_that_names_none_gets_the_configured_runtime(api, deploy, reload, stack):
    assert stack.given_settings()["sandbox.default_runtime"] == "docker"
    assert deploy(SAME)["runtime"] == "docker"
    reload("sandbox.default_runtime=gvisor")
    assert api.get("/limits").json()["function"]["runtime"]["default"] == "gvisor"
    function = deploy(SAME)
    assert function["runtime"] == "gvisor"
    assert api.output(function, "ran") == "ran"
    reload("sandbox.default_runtime=docker")
    changed = api.put(f"/functions/{function['id']}", json={"timeout_ms": 2000})
    assert changed.json()["runtime"] == "gvisor"  # a default is for new functions


def test_a_function_runs_on_the_runtime_it_names_in_each_version(api, database, deploy, stack):
    function = deploy(KERNEL, runtime="docker")
    assert api.put(f"/functions/{function['id']}", json={"runtime": "gvisor"}).json()["runtime"] == "gvisor"
    for version, runtime in ((1, "docker"), (2, "gvisor")):
        answer = api.post(f"/execute/{function['id']}?version={version}", json={})
        uid, kernel = answer.json()["output"]
        assert (kernel == GVISOR_KERNEL) == (runtime == "gvisor")
        assert stack.container_of_user(uid)["HostConfig"]["Runtime"] == RUNTIMES[runtime]
        assert database.metric(answer.headers["Berth-Invocation-Id"])["runtime"] == runtime


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_both_languages_run_on_gvisor_and_stay_warm(api, deploy, language):
    code = {"python": SAME, "javascript": "exports.handler = async (event) => event;\n"}
    function = deploy(code[language], language=language, runtime="gvisor")
    answers = [api.execute(function, {"n": n, "text": "ünïcödé"}) for n in range(5)]
    assert [a.json()["output"] for a in answers] == [{"n": n, "text": "ünïcödé"} for n in range(5)]
    assert {a.headers["Berth-Start"] for a in answers} == {"warm"}


def test_ready_shows_which_runtimes_there_are(api):
    runtimes = api.get("/readyz").json()["pool"]["runtimes"]
    assert runtimes == {name: {"available": True, "detail": ""} for name in RUNTIMES}


def test_the_bounds_and_defaults_of_every_limit_are_told(api, stack):
    settings, limits = stack.settings(), api.get("/limits").json()["function"]
    for name, (default, most) in LIMITS.items():
        assert limits[name]["min"] <= limits[name]["default"] <= limits[name]["max"], name
        if default:
            told = (limits[name]["default"], limits[name]["max"])
            assert told == (int(settings[f"limits.{default}"]), int(settings[f"limits.{most}"])), name
    assert limits["cpus"]["default"] == 1
    assert limits["cpus"]["max"] == os.cpu_count()
    assert {name: limits[name]["values"] for name in ("runtime", "network", "isolation")} == {
        "runtime": list(RUNTIMES), "network": ["none", "egress"], "isolation": ["per_function", "per_invocation"],
    }  # fmt: skip


def test_a_functions_answer_has_all_limits_in_force(api, deploy, stack):
    limits = api.get("/limits").json()["function"]
    given = {"init_timeout_ms": 4000, "pids": 99, "log_bytes": 0, "response_bytes": 4096}
    function = deploy(SAME, **given)
    wanted = {name: limits[name]["default"] for name in LIMITS} | given
    wanted["request_bytes"] = int(stack.settings()["limits.request_bytes"])
    assert function["limits"] == wanted
    assert api.get(f"/functions/{function['id']}").json()["limits"] == wanted
    assert {name: function[name] for name in LIMITS} == {name: wanted[name] for name in LIMITS}


def bounds():
    for name in LIMITS:
        yield name, "min"
        yield name, "max"


@pytest.mark.parametrize("name, bound", bounds())
def test_a_limit_out_of_bounds_is_refused(api, database, name, bound):
    limit, before = api.get("/limits").json()["function"][name][bound], database.counts()
    step = 0.001 if name == "cpus" else 1
    wrong = limit - step if bound == "min" else limit + step
    answer = api.post("/functions", json={"name": unique("refused"), "language": "python", "code": SAME, name: wrong})
    (error,) = check_problem(answer, 422, "invalid_function")["errors"]
    assert (error["field"], error["code"]) == (name, "out_of_range")
    assert f"{limit:g}" in error["message"]
    assert database.counts() == before


# A runtime that is taken away


class Registration:
    """gVisor's entry in Docker Engine's configuration. Other stacks use the same engine: it is away for a moment only."""

    def __init__(self, stack, api):
        self.stack, self.api, self.whole = stack, api, DAEMON_JSON.read_text()

    def offered(self):
        return GVISOR in json.loads(self.stack.docker("info", "--format", "{{json .Runtimes}}"))

    def write(self, text):
        new = DAEMON_JSON.with_suffix(".new")
        new.write_text(text)
        new.rename(DAEMON_JSON)
        dockerd = subprocess.run(["pgrep", "-o", "-x", "dockerd"], capture_output=True, text=True, check=True)
        os.kill(int(dockerd.stdout), signal.SIGHUP)

    def remove(self):
        config = json.loads(self.whole)
        del config["runtimes"][GVISOR]
        self.write(json.dumps(config))
        wait_for("Docker Engine to read it", lambda: not self.offered())

    def restore(self):
        self.write(self.whole)
        wait_for("Docker Engine to read it", self.offered)

    def have_poolmgr_look(self, present):
        """It asks the engine every half a minute, and when it starts; until it has asked, no runtime is available."""
        self.stack.children("poolmgr")[0].kill()
        wait_for("poolmgr to have looked", lambda: self.api.get("/readyz").status_code == 200)
        wait_for("poolmgr to notice", lambda: available(self.api).get("gvisor") is present, 20)


@pytest.fixture
def registration(api, stack):
    if not DAEMON_JSON.exists() or subprocess.run(["pgrep", "-x", "dockerd"], capture_output=True).returncode != 0:
        pytest.skip("Docker Engine runs elsewhere")
    registration = Registration(stack, api)
    yield registration
    if not registration.offered():
        registration.restore()
    if not available(api)["gvisor"]:
        registration.have_poolmgr_look(True)


@pytest.mark.alone
def test_a_runtime_that_is_gone_is_named_with_what_to_do_and_the_others_go_on(api, deploy, database, registration, reload):
    functions = {runtime: deploy(KERNEL, runtime=runtime) for runtime in RUNTIMES}
    for function in functions.values():
        api.output(function)
    registration.remove()
    registration.have_poolmgr_look(False)
    before = database.counts()
    body = {"name": unique("not-stored"), "language": "python", "code": SAME, "runtime": "gvisor"}
    answers = [
        api.post("/functions", json=body),
        api.put(f"/functions/{functions['docker']['id']}", json={"runtime": "gvisor"}),
        api.execute(functions["gvisor"]),
    ]
    ready, docker = api.get("/readyz"), api.execute(functions["docker"])
    reload("sandbox.default_runtime=gvisor")
    not_ready = api.get("/readyz")
    reload("sandbox.default_runtime=docker")
    registration.restore()
    for answer in answers:
        problem = check_problem(answer, 503, "runtime_unavailable")
        assert "scripts/gvisor" in problem["detail"]
        assert answer.elapsed.total_seconds() < 2  # waiting would be of no use
    assert database.counts() == before
    assert docker.status_code == 200, docker.text
    assert ready.status_code == 200  # for what else there is
    runtimes = ready.json()["pool"]["runtimes"]
    assert runtimes["docker"]["available"] and not runtimes["gvisor"]["available"]
    assert "scripts/gvisor" in runtimes["gvisor"]["detail"]
    # Of the default one it is not enough to have others.
    assert not_ready.status_code == 503
    assert not_ready.json()["checks"]["runtime"]["status"] == "failed"
    assert "scripts/gvisor" in not_ready.json()["checks"]["runtime"]["detail"]
    registration.have_poolmgr_look(True)
    assert api.output(functions["gvisor"])[1] == GVISOR_KERNEL
