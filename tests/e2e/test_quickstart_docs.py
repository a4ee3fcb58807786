"""What README.md and HACKING.md tell a newcomer to do works as it stands there: their commands are run, in their order."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from documents import AS_TYPED, ROOT, blocks, comments, read, replaced, run_script

DOCUMENTS = {name: read(name) for name in ("README.md", "HACKING.md")}
README = DOCUMENTS["README.md"]


@pytest.fixture
def without_its_functions(api):
    def delete():
        for name in ("hello", "greet"):
            api.delete(f"/functions/{name}")

    delete()
    yield
    delete()


def test_the_commands_of_the_readme_work_as_written_and_in_their_order(api, stack, without_its_functions, tmp_path):
    """On this stack, instead of the one that quickstart starts."""
    headings = [heading for heading, _ in blocks("README.md")]
    assert headings == ["Start", "A tour", "A function of your own", "Metrics", "Docker or gVisor?", "Afterwards", "Operate"]
    ((_, code),) = blocks("README.md", "javascript")
    (tmp_path / "index.js").write_text(code)
    text = replaced(
        "\n".join(commands for heading, commands in blocks("README.md") if heading != "Start"),
        # The comparison with fewer measurements; its last line, of all workloads, takes half an hour (test_bench.py has some).
        (" bench hello ", " bench hello --concurrency 1 --duration 0.3 --rounds 1 --cold 2 "),
        ("/opt/berth/bin/berth bench --all", "true"),
        ("https://localhost:8443", f"https://localhost:{stack.port}"),
        ("/opt/berth/var", str(stack.dir)),
        ("/opt/berth/bin/", f"{stack.option('prefix')}/bin/"),
        ("/opt/berth/sbin/", f"{stack.option('prefix')}/sbin/"),
        ("--rawfile code index.js", f"--rawfile code {tmp_path}/index.js"),
        ("alias curl='curl -s ", AS_TYPED),
    )
    assert "/opt/berth" not in text

    done = run_script(text, ROOT, BERTH_URL=f"https://localhost:{stack.port}")
    assert done.returncode == 0, done.stderr + done.stdout
    deployed, executed, shown, greet, greeted, logs, changed = done.stdout.splitlines()[:7]
    assert json.loads(deployed)["name"] == "hello"
    assert [json.loads(executed), json.loads(greeted)] == [json.loads(said) for said in comments(text)]
    assert json.loads(shown)["limits"] and json.loads(shown)["timeout_ms"] == 3000
    assert json.loads(greet).get("warnings") is None and "greeting Ada" in logs
    assert json.loads(changed)["version"] == 2
    (metrics,) = [line for line in done.stdout.splitlines() if line.startswith('{"function')]
    assert {"summary", "points"} <= set(json.loads(metrics))
    assert "gVisor" in done.stdout and "[pool]" in done.stdout
    assert re.search(r"^platform +ready at ", done.stdout, re.M)
    assert api.get("/functions/hello").status_code == api.get("/functions/greet").status_code == 404


def test_the_commands_to_start_are_there():
    (commands,) = [commands for heading, commands in blocks("README.md") if heading == "Start"]
    for line in commands.splitlines():
        shown = subprocess.run([ROOT / line.split()[0], "--help"], capture_output=True, text=True, timeout=60)
        assert shown.returncode == 0
        assert shown.stdout.startswith(("Sets up", "Runs the tests"))


@pytest.fixture
def checkout():
    """The source tree as it is when it is fresh; and a short path for a stack, which ends with the test."""
    directory = Path(tempfile.mkdtemp(prefix="berth-doc.", dir="/tmp"))
    directory.chmod(0o755)
    generated = ("build*", ".git", "autom4te.cache", "configure*", "aclocal.m4", "config.h.in*", "Makefile.in", "__pycache__")
    shutil.copytree(ROOT, directory / "src", ignore=lambda at, names: set(
        name for name in names for pattern in generated if Path(name).match(pattern) and name != "configure.ac"))  # fmt: skip
    for name in ("compile", "depcomp", "install-sh", "missing", "test-driver", "ar-lib", "config.guess", "config.sub"):
        (directory / "src" / name).unlink(missing_ok=True)
    yield directory
    if (directory / "s" / "options").exists():
        subprocess.run([directory / "src/scripts/stack", "down", "--dir", directory / "s"], capture_output=True, timeout=150)
    shutil.rmtree(directory)


def test_the_commands_of_hacking_work_as_written_and_in_their_order(checkout):
    assert [heading for heading, _ in blocks("HACKING.md")] == ["Build", "A stack to play with"]
    text = "\n".join(commands for _, commands in blocks("HACKING.md"))
    assert "--dir /tmp/berth " in text
    # In the first block one goes to build/ and stays there.
    (build, stack) = [commands for _, commands in blocks("HACKING.md")]
    instance = checkout.name.lower()
    stack = stack.replace("/tmp/berth", str(checkout / "s")).replace("stack up ", f"stack up --instance {instance} ")
    done = run_script(f"({build})\n{stack}", checkout / "src")
    assert done.returncode == 0, done.stderr[-8000:] + done.stdout[-2000:]
    assert "ok ready" in done.stderr and "has taken over" in done.stderr and "stopped" in done.stderr
    assert not (checkout / "s" / "pids" / "berthd").exists()


def said_in_passing(name):
    """Commands of the project within the text."""
    text = re.sub(r"^```.*?^```$", "", DOCUMENTS[name], flags=re.M | re.S)
    return [code for code in re.findall(r"`([^`]+)`", text) if re.match(r"(scripts/[\w-]+|make|berthd|berth) ", code + " ")]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_within_the_text_name_scripts_options_and_targets_that_there_are(stack, name):
    makefile = (ROOT / "Makefile.am").read_text() + (ROOT / "tests/local.mk").read_text() + (ROOT / "tests/fuzz/local.mk").read_text()
    found = said_in_passing(name)
    assert found
    for code in found:
        program, *words = code.split()
        if program == "make":
            for target in words:
                assert target in ("check", "install", "format") or re.search(rf"^{target}:", makefile, re.M), code
            continue
        file = {"berthd": f"{stack.option('prefix')}/sbin/berthd", "berth": f"{stack.option('prefix')}/bin/berth"}.get(program, ROOT / program)
        subcommand = [words[0]] if program == "berth" and words else []
        shown = subprocess.run([file, *subcommand, "--help"], capture_output=True, text=True, timeout=60)
        assert shown.returncode == 0, code
        for option in re.findall(r"--[a-z-]+", code):
            assert option in shown.stdout, code


def test_quickstart_down_where_nothing_was_set_up_does_nothing():
    with tempfile.TemporaryDirectory(prefix="berth-doc.", dir="/tmp") as prefix:
        done = subprocess.run(
            [ROOT / "scripts" / "quickstart", "--down", "--prefix", prefix], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0
        assert "nothing was set up" in done.stderr
        assert os.listdir(prefix) == []


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
