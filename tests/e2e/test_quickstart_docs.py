"""What README.md tells a newcomer to do works as it stands there."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def commands(heading):
    """The first block of shell commands below a heading."""
    return re.search(rf"^## {heading}$.*?^```sh\n(.*?)^```$", README, re.M | re.S)[1]


@pytest.fixture
def tour(api, stack):
    """The tour, for this stack instead of the one that quickstart starts."""
    text = commands("A tour")
    assert "https://localhost:8443" in text and "/opt/berth/var/" in text
    api.delete("/functions/hello")
    yield text.replace("https://localhost:8443", f"https://localhost:{stack.port}").replace("/opt/berth/var/", f"{stack.dir}/")
    api.delete("/functions/hello")


def test_the_tour_works_as_written(api, tour):
    done = subprocess.run(
        # An answer does not end its line: -w stands in for the prompt that would follow.
        ["bash", "-c", f"shopt -s expand_aliases\n{tour}".replace("alias curl='curl ", "alias curl='curl -w \"\\n\" ")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    deployed, executed, shown, deleted = done.stdout.split("\n")[:4]
    assert json.loads(deployed)["name"] == "hello"
    assert json.loads(executed) == {"output": "Hello, world!"}
    assert executed in tour  # the comment says what comes out
    assert json.loads(shown)["limits"] and json.loads(shown)["timeout_ms"] == 3000
    assert deleted == ""
    assert api.get("/functions/hello").status_code == 404


def test_the_commands_to_start_are_there(stack):
    for line in commands("Start").splitlines():
        script = ROOT / line.split()[0]
        shown = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=60)
        assert shown.returncode == 0
        assert shown.stdout.startswith(("Sets up", "Runs the tests"))


def test_quickstart_down_where_nothing_was_set_up_does_nothing(tmp_path):
    done = subprocess.run(
        [ROOT / "scripts" / "quickstart", "--down", "--prefix", tmp_path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "nothing was set up" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_link_in_the_documentation_leads_somewhere():
    for name in ("README.md", "ARCHITECTURE.md", "HACKING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{name}: {target}"


def test_every_route_in_the_readme_exists(api):
    routes = re.findall(r"`((?:GET|PUT|POST|DELETE)(?: [A-Z]+)*) (/[^`]*)`", README)
    assert len(routes) >= 6
    for methods, path in routes:
        path = re.sub(r"\{id.*?\}", "no-such-thing", path)
        for method in methods.split():
            answer = api.request(method, path, json={} if method in ("PUT", "POST") else None)
            assert answer.status_code != 405, (method, path)
            assert answer.status_code != 404 or "no-such-thing" in path, (method, path)


def test_dump_config_documents_every_setting_and_loads_again(stack, tmp_path):
    dumped = stack.berthd("--config", str(stack.dir / "berth.conf"), "--dump-config").stdout
    lines = dumped.splitlines()
    settings = [(above, line) for above, line in zip(lines, lines[1:]) if re.match(r"[a-z_]+ = ", line)]
    assert len(settings) >= 40
    for above, line in settings:
        assert above.startswith(";") and len(above) > 20, line
    copy = tmp_path / "berth.conf"
    copy.write_text(dumped)
    assert stack.berthd("--config", str(copy), "--check-config").returncode == 0
    assert stack.berthd("--config", str(copy), "--dump-config").stdout == dumped
