"""What holds for every script: `--help` explains it, and a command line that is wrong does nothing and exits with 2."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Programs that change something. Whoever calls one of them has done more than to explain itself.
ACTING = """apt-get autoreconf clang-format clang-tidy cp cppcheck curl daemon.json docker dockerd dpkg-query find gcovr initdb install iptables kill
    make mkdir mktemp mmdebstrap mv nginx node openssl psql pytest rm setpriv setsid shellcheck systemctl touch useradd userdel""".split()


def scripts():
    """All programs of the source tree that people start, relative to it."""
    found = [path for path in (ROOT / "scripts").iterdir() if path.is_file() and os.access(path, os.X_OK)]
    return sorted(str(path.relative_to(ROOT)) for path in [*found, ROOT / ".ci/run", ROOT / "tests/fuzz/make-corpus"])


# A command line that is wrong, behind what the script would act on without it.
MISUSED = {
    "scripts/berth": [["bench", "x", "--nonsense"], ["nonsense"], ["bench"], ["bench", "x", "--rounds", "0"], []],
    "scripts/bench": [["--nonsense"], ["--soak"], ["nonsense"], ["--only", "nonsense"], ["--soak", "many"]],
    "scripts/check": [["--nonsense"], ["--only", "nonsense"], ["--only"], ["nonsense"]],
    "scripts/coverage": [["--nonsense"], ["one", "another"]],
    "scripts/egress": [["up", "--instance", "x", "--nonsense"], ["--nonsense"], ["up"], []],
    "scripts/egress-runtime": [["--nonsense"], []],
    "scripts/gvisor": [["--nonsense"], ["nonsense"], ["--config"]],
    "scripts/images": [["--nonsense"], ["nonsense"], ["--language"]],
    "scripts/lint": [["--nonsense"], ["nonsense"]],
    "scripts/migrate": [["--nonsense"], ["nonsense"], ["--database"]],
    "scripts/packages": [["--nonsense"], ["--for", "nonsense"], ["--for"], ["nonsense"]],
    "scripts/quickstart": [["--nonsense"], ["--https-port", "99999"], ["--https-port"], ["nonsense"], ["--http-port", "-1"]],
    "scripts/render-nginx": [["--nonsense"], [], ["--dir", "/x", "--https-port", "1", "--http-port", "65536"]],
    "scripts/stack": [
        [],
        ["nonsense"],
        ["up"],
        ["up", "--dir", "DIR", "--nonsense"],
        ["up", "--dir", "DIR", "nonsense"],
        ["up", "--dir", "DIR", "--prefix", "/x", "--https-port", "99999"],
        ["up", "--dir", "DIR", "--prefix", "/x", "--https-port", "8443x"],
        ["up", "--dir", "DIR", "--prefix", "/x", "--http-port", "08080"],
        ["up", "--dir", "DIR", "--prefix", "/x", "--https-port", "28443", "--http-port", "28443"],
        ["up", "--dir", "DIR", "--prefix", "/x", "--docker", "nonsense"],
        ["up", "--dir", "DIR", "--prefix", "/x", "--set", "nonsense"],
        ["up", "--dir", "DIR", "--follow"],
        ["up", "--dir", "relative path"],
        ["down", "--dir", "DIR", "--https-port", "8443"],
        ["status", "--dir", "DIR", "--set", "log.level=debug"],
    ],
    ".ci/run": [["--nonsense"]],
    "tests/fuzz/make-corpus": [["--nonsense", "DIR"], []],
}
WRONG = [(script, arguments) for script, cases in MISUSED.items() for arguments in cases]


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


@pytest.mark.parametrize("script, arguments", WRONG, ids=[" ".join([s, *a]) for s, a in WRONG])
def test_a_wrong_command_line_does_nothing_and_exits_with_2(start, script, arguments, tmp_path):
    directory = tmp_path / "d"
    done, called = start([ROOT / script, *[str(directory) if a == "DIR" else a for a in arguments]], tmp_path)
    assert done.returncode == 2, done
    assert (done.stdout, called) == ("", []) and done.stderr.strip() and "Traceback" not in done.stderr
    assert not directory.exists()


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
