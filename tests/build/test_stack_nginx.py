"""When scripts/stack takes nginx's start or reload for done: when every worker is there, so that the end of each is noticed later."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

SCRIPT = """
dir=$1 pids=$1 old_workers=$2
declare -A option=([https-port]=1 [http-port]=2)
. "$4/scripts/stack.d/nginx.sh"
running() { true; }
nginx_serves() { true; }
nginx_workers() { printf '%b' "$present"; }
present=$3
nginx_has_settled
"""


@pytest.fixture
def has_settled(tmp_path):
    def ask(old, workers):
        lines = "".join(rf"{pid}\n" for pid in workers)
        return subprocess.run(["bash", "-c", SCRIPT, "bash", tmp_path, old, lines, ROOT], check=False).returncode == 0

    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx/berth.conf").write_text("user www-data;\nworker_processes 3;\n")
    return ask


@pytest.mark.parametrize("workers, settled", [([], False), ([11], False), ([11, 12], False), ([11, 12, 13], True)])
def test_nginx_has_settled_when_all_its_workers_have_started(has_settled, workers, settled):
    assert has_settled("none", workers) == settled


@pytest.mark.parametrize("workers, settled", [([1, 2, 13], False), ([2, 13, 14], False), ([1, 2, 11, 12, 13], False), ([11, 12, 13], True)])
def test_nginx_has_settled_when_no_old_worker_takes_connections(has_settled, workers, settled):
    assert has_settled("1\n2\n3", workers) == settled
