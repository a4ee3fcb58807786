"""A stack with a Docker Engine of its own, whose parts are killed and taken away while requests come in."""

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
pytest.register_assert_rewrite("platform_parts")

import e2e_conftest  # noqa: E402
from e2e_conftest import api, database, deploy, load, nothing_is_left, ready, reload, stack  # noqa: E402, F401
from e2e_conftest import pytest_configure, pytest_runtest_makereport, pytest_runtest_setup  # noqa: E402, F401
from platform_parts import Containerd, Docker, Leftovers, Postgres  # noqa: E402
from support import RUNTIMES, wait_for  # noqa: E402
from traffic import Traffic  # noqa: E402


@pytest.fixture(params=RUNTIMES)
def runtime(request):
    return request.param


@pytest.fixture
def docker(stack):
    return Docker(stack)


@pytest.fixture
def containerd(stack):
    return Containerd(stack)


@pytest.fixture
def postgres(stack):
    return Postgres(stack)


PAUSE_S = 0.1  # between two requests of a client: other tests run on this machine at the same time


@pytest.fixture
def start_traffic(api, database, deploy, load, stack):
    """start_traffic(runtime) begins a load; at the end all that it got is on record, and nothing is left of what was broken."""
    all_traffic = []

    def start(runtime="docker", pause_s=PAUSE_S):
        all_traffic.append(Traffic(api, database, deploy, load, pause_s, runtime=runtime))
        return all_traffic[-1]

    yield start
    for one in all_traffic:
        one.stop()
        one.check_records()
    wait_for("poolmgr, Docker and the file system to agree", lambda: stack.is_tidy(api), 20)
    Leftovers.wait_for_none(stack, 20)
