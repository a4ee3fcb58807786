"""berth bench against a platform that runs: what it tells is whole, and it leaves nothing behind."""

import json
import signal
import subprocess

import pytest
from support import wait_for

RUNTIMES = ("docker", "gvisor")
FEW = ("--concurrency", "1,2", "--duration", "0.3", "--rounds", "1", "--cold", "1")


@pytest.fixture
def command(stack):
    return [f"{stack.option('prefix')}/bin/berth", "bench", "--url", stack.url, "--ca", stack.ca, *FEW]


def names(api):
    return {function["name"] for function in api.get("/functions?limit=200").json()["items"]}


@pytest.fixture(autouse=True)
def no_copy_stays(api):
    before = names(api)
    yield
    assert names(api) == before


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_deployed_function_is_compared_in_table_json_and_page(api, command, deploy, tmp_path):
    function = deploy("def handler(event, context):\n    return event['n'] + 1\n")
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    done = run(*command, function["name"], "--input", '{"n": 1}', "--report", page, "--json", figures)
    assert done.returncode == 0, done.stderr
    assert "gVisor ÷ Docker" in done.stdout and "processor time per call" in done.stdout
    assert "round 1 of 1: 2 at a time on gvisor" in done.stderr
    result = json.loads(figures.read_text())
    (subject,) = result["subjects"]
    assert set(subject["runtimes"]) == set(RUNTIMES)
    for told in subject["runtimes"].values():
        assert told["cold"]["latency_ms"]["count"] + told["prewarmed"]["latency_ms"]["count"] >= 1
        for level in ("1", "2"):
            assert told["warm"][level]["latency_ms"]["count"] > 0 and told["warm"][level]["failed"] == {}
            assert told["warm"][level]["exec_ms"]["p50"] < told["warm"][level]["latency_ms"]["p50"]
        assert told["server"]["complete"] and told["server"]["cpu_ms"]["mean"] > 0
        assert told["server"]["memory_bytes"]["max"] > 1e6
    text = page.read_text()
    assert function["name"] in text and text.rstrip().endswith("</html>")
    assert api.get(f"/functions/{function['id']}").json()["version"] == function["version"]


def test_a_folder_is_compared_and_a_function_that_fails_is_not(command, tmp_path):
    (tmp_path / "main.js").write_text("exports.handler = async (n) => { if (n) throw new Error('not today'); return 1; };\n")
    done = run(*command, f"{tmp_path}/", "--runtimes", "docker", "--cold", "0")
    assert done.returncode == 0, done.stderr
    assert "throughput" in done.stdout
    done = run(*command, f"{tmp_path}/", "--input", "1")
    assert done.returncode == 1 and "function_error" in done.stderr and "not today" in done.stderr


def test_what_was_measured_before_a_failure_is_told(command, tmp_path):
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    for name, code in (("a/main.py", "def handler(event, context):\n    return 1\n"), ("b/main.js", "throw new Error('not today');\n")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(code)
    done = run(*command, f"{tmp_path}/", "--runtimes", "docker", "--cold", "0", "--report", page, "--json", figures)
    assert done.returncode == 1 and "not today" in done.stderr
    result = json.loads(figures.read_text())
    (measured,), (missing,) = result["subjects"], result["missing"]
    assert measured["name"] == f"{tmp_path.name}/a" and missing == f"{tmp_path.name}/b"
    assert f"Missing: {missing}." in page.read_text()


def test_a_function_or_a_runtime_that_is_not_there_is_told(command, tmp_path):
    done = run(*command, "nobody-has-this-name")
    assert done.returncode == 1 and "404 not_found" in done.stderr
    (tmp_path / "main.py").write_text("def handler(event, context):\n    return 1\n")
    done = run(*command, f"{tmp_path}/", "--runtimes", "docker,other")
    assert done.returncode == 1 and "no runtime 'other'" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_interrupted_deletes_the_copies(api, command, deploy, number):
    function = deploy("def handler(event, context):\n    return 1\n")
    before = names(api)
    process = subprocess.Popen(
        [*command, function["name"], "--duration", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # As from a terminal: what a shell has put into the background ignores it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        wait_for("the copies to be there", lambda: len(names(api) - before) >= 2, 60)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and "interrupted" in err and "Traceback" not in err
    assert names(api) == before
