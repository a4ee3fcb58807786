"""What holds for every script: `--help` explains it, and a command line that is wrong does nothing and exits with 2."""

import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Programs that change something. Whoever calls one of them has done more than to explain itself.
ACTING = """apt-get autoreconf clang-format clang-tidy cp cppcheck curl daemon.json docker dockerd dpkg-query find gcovr initdb install iptables kill
    make mkdir mktemp mmdebstrap mv nginx node openssl psql pytest rm setpriv setsid shellcheck systemctl touch useradd userdel""".split()


def scripts():
    """All programs of the source tree that people start, relative to it."""
    found = [path for path in (ROOT / "scripts").iterdir() if path.is_file() and os.access(path, os.X_OK)]
    return sorted(str(path.relative_to(ROOT)) for path in [*found, ROOT / ".ci/run", ROOT / "tests/fuzz/make-corpus"])


# Command lines that are wrong, behind what the script would act on without it, and what it says. DIR is one that is not there.
MISUSED = {
    "scripts/berth": [
        (["bench", "x", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["bench"], "either FUNCTION or --all is needed"),
        (["bench", "x", "--rounds", "0"], "argument --rounds: '0' is not from 1 to 100"),
        ([], "the following arguments are required: COMMAND"),
    ],
    "scripts/bench": [
        (["--nonsense"], "unknown argument '--nonsense'"),
        (["--soak"], "--soak needs a value"),
        (["nonsense"], "unknown argument 'nonsense'"),
        (["--only", "nonsense"], "argument --only: takes some of"),
        (["--soak", "many"], "argument --soak: invalid int value: 'many'"),
    ],
    "scripts/check": [
        (["--nonsense"], "unknown argument '--nonsense'"),
        (["--only", "nonsense"], "--only takes lint,"),
        (["--only"], "--only needs a value"),
        (["nonsense"], "unknown argument 'nonsense'"),
    ],
    "scripts/coverage": [
        (["--nonsense"], "one build directory is wanted"),
        (["one", "another"], "one build directory is wanted"),
    ],
    "scripts/egress": [
        (["up", "--instance", "x", "--nonsense"], "unknown argument '--nonsense'"),
        (["--nonsense"], "the first argument is"),
        (["up"], "--config FILE is needed"),
        (["check"], "--config FILE is needed"),
        ([], "the first argument is"),
    ],
    "scripts/egress-runtime": [(["--nonsense"], "the first argument is"), ([], "the first argument is")],
    "scripts/gvisor": [(["--nonsense"], "unknown argument '--nonsense'"), (["nonsense"], "unknown argument 'nonsense'"), (["--config"], "--config needs a value")],
    "scripts/images": [(["--nonsense"], "unknown argument '--nonsense'"), (["nonsense"], "unknown argument 'nonsense'"), (["--version"], "--version needs a value"), (["--version", "python-2"], "there is no version 'python-2'; there are: ")],
    "scripts/lint": [(["--nonsense"], "unknown argument '--nonsense'"), (["nonsense"], "unknown argument 'nonsense'"), (["--build"], "--build needs a value"), ([], "--build is needed")],
    "scripts/migrate": [(["--nonsense"], "unknown argument '--nonsense'"), (["nonsense"], "unknown argument 'nonsense'"), (["--database"], "--database needs a value")],
    "scripts/packages": [(["--nonsense"], "unknown argument '--nonsense'"), (["--for", "nonsense"], "--for takes run, test or bench"), (["--for"], "--for needs a value"), (["nonsense"], "unknown argument 'nonsense'")],
    "scripts/quickstart": [
        (["--nonsense"], "unknown argument '--nonsense'"),
        (["--https-port", "99999"], "--https-port takes the number of a port, 0 to 65535, not '99999'"),
        (["--https-port"], "--https-port needs a value"),
        (["nonsense"], "unknown argument 'nonsense'"),
        (["--http-port", "-1"], "--http-port takes the number of a port, 0 to 65535, not '-1'"),
        (["--prefix", "/tmp/" + "x" * 32], "is too long: 36 characters are left"),
    ],
    "scripts/render-nginx": [
        (["--nonsense"], "unknown argument '--nonsense'"),
        ([], "--dir, --https-port and --http-port are needed"),
        (["--dir", "/x", "--https-port", "1", "--http-port", "65536"], "--http-port takes the number of a port, 0 to 65535, not '65536'"),
    ],
    "scripts/stack": [
        ([], "the first argument is"),
        (["nonsense"], "the first argument is"),
        (["up"], "--dir is needed"),
        (["up", "--dir", "DIR"], "--prefix or --build is needed"),
        (["up", "--dir", "DIR", "--nonsense"], "unknown option '--nonsense'"),
        (["up", "--dir", "DIR", "nonsense"], "'up' does not take 'nonsense'"),
        (["up", "--dir", "DIR", "--prefix", "/x", "--https-port", "99999"], "--https-port takes the number of a port, 0 to 65535, not '99999'"),
        (["up", "--dir", "DIR", "--prefix", "/x", "--https-port", "8443x"], "--https-port takes the number of a port, 0 to 65535, not '8443x'"),
        (["up", "--dir", "DIR", "--prefix", "/x", "--http-port", "08080"], "--http-port takes the number of a port, 0 to 65535, not '08080'"),
        (["up", "--dir", "DIR", "--prefix", "/x", "--https-port", "28443", "--http-port", "28443"], "--https-port and --http-port are both 28443"),
        (["up", "--dir", "DIR", "--prefix", "/x", "--docker", "nonsense"], "--docker is machine or own"),
        (["up", "--dir", "DIR", "--prefix", "/x", "--set", "nonsense"], "--set takes section.key=value, not 'nonsense'"),
        (["up", "--dir", "DIR", "--follow"], "'up' does not take '--follow'"),
        (["up", "--dir", "relative path"], "has characters other than"),
        (["up", "--dir", "DIR/" + "x" * 40, "--prefix", "/x"], "is too long: the paths of unix sockets below it are limited"),
        (["down", "--dir", "DIR", "--https-port", "8443"], "'down' does not take '--https-port'"),
        (["status", "--dir", "DIR", "--set", "log.level=debug"], "'status' does not take '--set'"),
    ],
    "scripts/validate-openapi": [
        ([], "the document is needed"),
        (["--nonsense"], "unknown argument '--nonsense'"),
        (["a.json", "b.json"], "there is one document"),
    ],
    ".ci/run": [(["--nonsense"], "unknown argument '--nonsense'")],
    "tests/fuzz/make-corpus": [(["--nonsense", "DIR"], "unrecognized arguments: --nonsense"), ([], "the following arguments are required: DIRECTORY")],
}
WRONG = [(script, arguments, says) for script, cases in MISUSED.items() for arguments, says in cases]


@pytest.fixture
def start(tmp_path):
    """Starts a program with nothing on its way that could change anything; returns its run and what it tried to call."""
    programs, called = tmp_path / "programs", tmp_path / "called"
    programs.mkdir()
    for name in ACTING:
        stub = programs / name
        stub.write_text(f'#!/bin/sh\necho "$0 $*" >>{called}\nexit 1\n')
        stub.chmod(0o755)

    def start(command, cwd, **options):
        environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **options
        )
        return done, called.read_text().splitlines() if called.exists() else []

    return start


@pytest.mark.parametrize("script", scripts())
def test_help_explains_every_script_from_wherever_it_is_called_and_does_nothing_else(start, script, tmp_path):
    file = ROOT / script
    for command, cwd in (
        ([f"./{file.name}", "--help"], file.parent),
        ([f"../{file.parent.name}/{file.name}", "--help"], file.parent),
        ([script if "/" in script else f"./{script}", "--help"], ROOT),
        ([file, "--help"], tmp_path),
        ([file, "-h"], "/"),
    ):
        done, called = start(command, cwd)
        assert (done.returncode, done.stderr, called) == (0, "", []), (command, cwd)
        assert "usage: " in done.stdout.replace("Usage", "usage") and len(done.stdout.splitlines()) >= 4, (command, cwd)


def test_help_of_a_script_behind_a_name_of_its_own_is_that_of_the_script(start, tmp_path):
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    done, called = start(["scripts/check", "--help"], tmp_path)
    assert (done.returncode, called) == (0, []) and "usage: check" in done.stdout


def test_a_help_that_cannot_be_printed_is_no_reason_to_go_on(start):
    """What `usage` prints with fails."""
    done, called = start(["bash", "-c", "awk() { return 1; }; export -f awk; exec ./check --help"], ROOT / "scripts")
    assert (done.stdout, called) == ("", [])


@pytest.mark.parametrize("script, arguments, says", WRONG, ids=[" ".join([s, *a]) for s, a, _ in WRONG])
def test_a_wrong_command_line_does_nothing_says_why_and_exits_with_2(start, script, arguments, says, short_path):
    directory = short_path / "d"
    done, called = start([ROOT / script, *[a.replace("DIR", str(directory)) for a in arguments]], short_path)
    assert done.returncode == 2, done
    assert (done.stdout, called) == ("", []) and says in done.stderr and "Traceback" not in done.stderr
    assert list(short_path.iterdir()) == []


def test_every_script_has_a_command_line_that_is_wrong_here():
    assert sorted(MISUSED) == scripts()


@pytest.mark.parametrize("program", ["berthd", "berthd-invoke"])
def test_the_programs_refuse_a_wrong_command_line_with_2_as_well(program):
    build = os.environ.get("BERTH_BUILD")
    if not build:
        pytest.exit("BERTH_BUILD not set: scripts/check --only build sets it", 4)
    for arguments in (["--nonsense"], ["nonsense"], ["--config"], ["--child=poolmgr", "--slot=0"], ["--version=1"]):
        done = subprocess.run([f"{build}/{program}", *arguments], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (2, "") and done.stderr, arguments


def test_a_relative_build_directory_is_relative_to_where_one_is(start, tmp_path):
    """And not to where the script goes for its work."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "scripts", tree / "scripts")
    for name in ("packages", "gvisor"):
        (tree / "scripts" / name).write_text("#!/bin/sh\n")
    (tree / "configure").write_text("#!/bin/sh\npwd >&2\nexit 1\n")
    (tree / "configure").chmod(0o755)
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run([tree / "scripts/check", "--build", "b"], cwd=tmp_path / "elsewhere", capture_output=True, text=True, timeout=60)
    assert str(tmp_path / "elsewhere" / "b") in done.stderr


@pytest.mark.parametrize(("known", "there", "wanted"), [(True, False, True), (False, False, False), (True, True, False)])
def test_the_docker_command_is_a_package_of_its_own_where_apt_knows_one(tmp_path, known, there, wanted):
    """As in Debian 13; in Debian 12 it is part of docker.io."""
    scripts, programs, docker = tmp_path / "scripts", tmp_path / "bin", tmp_path / "docker"
    scripts.mkdir()
    programs.mkdir()
    shutil.copy(ROOT / "scripts/lib.sh", scripts)
    (scripts / "packages").write_text((ROOT / "scripts/packages").read_text().replace("=/usr/bin/docker'", f"={docker}'"))
    # apt-cache succeeds without a word when other packages name the one that it is asked for.
    for name, body in {"dpkg-query": "", "apt-cache": "echo Package: docker-cli" if known else ""}.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    if there:
        docker.touch()
    done = subprocess.run(["bash", scripts / "packages", "--list"], check=True, capture_output=True, text=True,
                          env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"})  # fmt: skip
    assert ("docker-cli" in done.stdout.split()) == wanted
    assert "docker-cli?" not in done.stdout


FAKE_PYTEST = """
import fcntl, json, os, sys, time

with open(os.environ["CALLS"], "a") as calls:
    fcntl.flock(calls, fcntl.LOCK_EX)
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if os.environ.get("HANG") in sys.argv:
    try:
        print("hangs", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        with open(os.environ["CALLS"], "a") as calls:
            calls.write('"has given back what it had"\\n')
        sys.exit(2)
print("===== 1 passed in 0.01s =====")
"""


@pytest.fixture
def check(tmp_path):
    """scripts/check in a tree where nothing is built and no stack is started; returns its run and what pytest was asked to run."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    tree, calls = tmp_path / "tree", tmp_path / "calls"
    shutil.copytree(ROOT / "scripts", tree / "scripts")
    (tree / "tests/e2e").mkdir(parents=True)
    for file in (ROOT / "tests/e2e").glob("test_*.py"):
        (tree / "tests/e2e" / file.name).touch()
    fakes = {
        "scripts/packages": "", "scripts/gvisor": "", "configure": "",
        "scripts/stack": 'mkdir -p "$3"; printf "https-port=1\\nhttp-port=2\\n" >"$3/options"',
        "bin/make": 'case "$*" in *lint) echo "lint: 1 passed" ;; *check) echo "# PASS: 1" ;; *openapi) echo "openapi: 1 passed, 0 failed" ;; esac',
    }  # fmt: skip
    for name, body in fakes.items():
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(f"#!/bin/sh\n{body}\n")
        (tree / name).chmod(0o755)
    (tree / "python").mkdir()
    (tree / "python/pytest.py").write_text(FAKE_PYTEST)
    environment = {"PATH": f"{tree}/bin:{os.environ['PATH']}", "PYTHONPATH": f"{tree}/python", "CALLS": f"{calls}"}

    def run(*arguments):
        done = subprocess.run([tree / "scripts/check", *arguments], capture_output=True, text=True, timeout=120, env=os.environ | environment)
        return done, [json.loads(line)[5:] for line in calls.read_text().splitlines()]

    run.program, run.environment, run.calls = tree / "scripts/check", os.environ | environment, calls
    return run


def test_a_run_of_all_parts_runs_each_test_once(check):
    done, called = check()
    assert done.returncode == 0, done.stderr + done.stdout
    parts = "lint unit openapi build berth agents nginx e2e hostile healing".split()
    assert [line.split()[0] for line in done.stdout.splitlines() if " passed " in line and line.endswith(" s")] == parts
    assert called == [[f"tests/{part}"] for part in parts[3:]]


def test_a_run_of_all_parts_side_by_side_runs_each_test_once(check):
    done, called = check("--side-by-side")
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.endswith("\n14 passed, 0 failed\n")
    parts = "unit e2e_1 hostile e2e_2 lint openapi build berth agents nginx healing e2e_3 alone".split()
    assert [line.split()[0] for line in done.stdout.splitlines() if " passed " in line and line.endswith(" s")] == parts
    thirds = [call for call in called if any(word.startswith("tests/e2e/") for word in call)]
    assert [third[:2] for third in thirds] == [["-m", "not alone"]] * 3
    assert sorted(word for third in thirds for word in third[2:]) == sorted(f"tests/e2e/{file.name}" for file in (ROOT / "tests/e2e").glob("test_*.py"))
    others = [call for call in called if call not in thirds]
    alone = [["-m", "alone", "tests/e2e"], ["-m", "alone", "tests/hostile"]]
    assert sorted(others[:-2]) == [["-m", "not alone", "tests/hostile"], *([f"tests/{part}"] for part in ("agents", "berth", "build", "healing", "nginx"))]
    assert others[-2:] == called[-2:] == alone  # when nothing else runs


@pytest.mark.parametrize("way", [[], ["--side-by-side"]], ids=["one after another", "side by side"])
def test_a_run_that_is_ended_interrupts_its_tests_and_stops_its_stacks(check, way):
    """A test that is interrupted gives back what it has taken from the machine."""
    process = subprocess.Popen(
        [check.program, *way], env=check.environment | {"HANG": "tests/healing"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 60
    while "healing" not in (check.calls.read_text() if check.calls.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    assert check.calls.read_text().endswith('"has given back what it had"\n')


def test_one_part_alone_has_all_of_its_tests(check):
    done, called = check("--only", "e2e", "--only", "hostile")
    assert done.returncode == 0, done.stderr + done.stdout
    assert called == [["tests/e2e"], ["tests/hostile"]]
