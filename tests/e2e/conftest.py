"""The end-to-end tests' view of a running stack. scripts/check starts one and says where it is in BERTH_… variables."""

import contextlib
import os
import re
import subprocess
from pathlib import Path

import pytest

pytest.register_assert_rewrite("support", "traffic")

import contract  # noqa: E402
from logs import Watch  # noqa: E402
from support import RUNTIMES, Api, Database, Load, Stack, unique, wait_for  # noqa: E402

VARIABLES = ("BERTH_URL", "BERTH_HTTP_PORT", "BERTH_CA", "BERTH_INSTANCE", "BERTH_STACK_DIR", "BERTH_STACK", "BERTH_DATABASE", "BERTH_BUILD")


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time, uses all processors, or changes what the stacks of this machine share")
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing and not config.option.collectonly:
        pytest.exit(f"{', '.join(missing)} not set: scripts/check --only e2e starts a stack and sets them", 4)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    item.log_watch = Watch(Path(os.environ["BERTH_STACK_DIR"]) / "log")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Answers that are not as described are failures. With a failure comes what the stack has logged while the test ran."""
    report = (yield).get_result()
    faults = contract.take_faults()
    if faults:
        text = "\n".join(["Not as /openapi.json describes it (fcgi/openapi/):", *faults])
        if report.failed:
            report.sections.append(("Answers", text))
        else:
            report.outcome, report.longrepr = "failed", text
    if report.failed:
        report.sections += item.log_watch.sections()


@pytest.fixture(scope="session")
def stack():
    return Stack(os.environ)


@pytest.fixture(scope="session")
def api(stack):
    """A client with a connection per request and without retries: what goes wrong once is seen."""
    return Api(stack.url, stack.ca)


@pytest.fixture(scope="session")
def database():
    return Database(os.environ["BERTH_DATABASE"])


@pytest.fixture(scope="module", autouse=True)
def ready(stack, api):
    """Each scenario starts on a stack that is ready, whatever the one before has done to it."""
    wait_for("the stack to be ready", lambda: api.get("/readyz").status_code == 200, 30)


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request):
    """For what has to hold whatever a function runs on."""
    return request.param


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left(stack, api):
    """At the end only spares and idle sandboxes that poolmgr knows are there: each a container and a directory."""
    yield
    wait_for("sandboxes, containers and directories to agree", lambda: stack.is_tidy(api), 30)


def deployer(api, request):
    """Deploys a function under a name of its own; whatever it became, it is deleted at the end."""

    def deploy(code, language="python", **fields):
        fields = {"name": unique(request.node.name), "language": language, "code": code} | fields
        answer = api.post("/functions", json=fields)
        assert answer.status_code == 201, answer.text
        function_id = answer.json()["id"]
        request.addfinalizer(lambda: api.delete_for_sure(f"/functions/{function_id}"))
        return answer.json()

    return deploy


@pytest.fixture
def deploy(api, request):
    return deployer(api, request)


@pytest.fixture(scope="module")
def deploy_once(api, request):
    """The same, for functions that a whole file uses."""
    return deployer(api, request)


@pytest.fixture
def in_transaction(database):
    """Runs SQL, and holds what it locks until the end."""

    @contextlib.contextmanager
    def hold(sql):
        command = ["psql", "-XAtqw", "-v", "ON_ERROR_STOP=1", database.conninfo]
        psql = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            psql.stdin.write(f"begin;\n{sql};\nselect 'held';\n")
            psql.stdin.flush()
            assert psql.stdout.readline() == "held\n"
            yield
        finally:
            psql.communicate("rollback;\n", timeout=30)

    return hold


def reloader(stack, request):
    """reload("section.key=value", …) changes settings while everything runs; afterwards they are what they were."""
    before, changed = stack.given_settings(), set()

    def apply(*settings):
        mark = stack.log_mark()
        arguments = [part for setting in settings for part in ("--set", setting)]
        stack.run("reload", *arguments)
        # The pools are replaced one after the other, invoke first.
        wait_for("the new workers to take over", lambda: "new control workers have taken over" in stack.log_since(mark), 20)
        wait_for("poolmgr to follow", lambda: re.search("proc=poolmgr .*settings reloaded", stack.log_since(mark)))
        for name, _, value in (setting.partition("=") for setting in settings):
            changed.add(name) if value != before.get(name, "") else changed.discard(name)

    def give_back():
        if changed:
            apply(*[f"{name}={before.get(name, '')}" for name in changed])

    request.addfinalizer(give_back)
    return apply


@pytest.fixture
def reload(stack, request):
    return reloader(stack, request)


@pytest.fixture(scope="module")
def reload_once(stack, request):
    """The same, for settings that a whole file needs: a reload takes longer than most tests."""
    return reloader(stack, request)


@pytest.fixture
def load(stack):
    """Steady requests from threads, until the end of the test at the latest."""
    loads = []

    def start(*args, **kwargs):
        loads.append(Load(*args, **kwargs))
        return loads[-1]

    yield start
    for one in loads:
        one.stop()
