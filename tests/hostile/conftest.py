"""The hostile functions' view of a running stack: that of the end-to-end tests, quiet neighbours, and a table at the end."""

import importlib.util
import sys
from pathlib import Path

import pytest

E2E = Path(__file__).parent.parent / "e2e"
sys.path.insert(0, str(E2E))


def load_e2e():
    """By its path: by name it would be this file."""
    spec = importlib.util.spec_from_file_location("e2e_conftest", E2E / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)


load_e2e()
pytest.register_assert_rewrite("checks", "expect", "host", "neighbour")

import e2e_conftest  # noqa: E402
from e2e_conftest import api, database, deploy, deployer, nothing_is_left, ready, stack  # noqa: E402, F401
from e2e_conftest import pytest_runtest_makereport, pytest_runtest_setup  # noqa: E402, F401
from host import Host  # noqa: E402
from neighbour import CODE, Neighbour  # noqa: E402
from support import unique, wait_for  # noqa: E402
from table import RUNTIMES, SETTINGS  # noqa: E402

OUTCOMES = pytest.StashKey()


def pytest_configure(config):
    e2e_conftest.pytest_configure(config)
    config.stash[OUTCOMES] = {}


@pytest.fixture
def outcome(request, attack, runtime):
    """outcome(text) says what came of the attack, for the table at the end."""
    outcomes = request.config.stash[OUTCOMES]

    def tell(text):
        outcomes[attack.label, runtime] = text

    tell("FAILED")
    return tell


def pytest_terminal_summary(terminalreporter, config):
    outcomes = config.stash[OUTCOMES]
    if not outcomes:
        return
    terminalreporter.section("attacks")
    names = list(dict.fromkeys(name for name, _ in outcomes))
    width = max(map(len, names))
    terminalreporter.write_line(f"{'':{width}}  {'docker':34}  gvisor")
    for name in names:
        docker, gvisor = (outcomes.get((name, runtime), "-") for runtime in ("docker", "gvisor"))
        terminalreporter.write_line(f"{name:{width}}  {docker:34}  {gvisor}")


@pytest.fixture(scope="session")
def neighbours(request, api):
    """One for each runtime. They stay for all tests, and so do their sandboxes."""
    new = deployer(api, request)
    return {runtime: Neighbour(api, new(CODE, name=unique("neighbour"), runtime=runtime, **SETTINGS)) for runtime in RUNTIMES}


@pytest.fixture(scope="session")
def host(api, stack, neighbours):
    for one in neighbours.values():
        with one.watched():
            pass
    wait_for("the stack to be at rest", lambda: stack.is_tidy(api), 60)
    return Host(stack)
