"""The launcher, built for a directory of the test's own."""

import os
import signal
import socket
import subprocess
import time

import pytest

from conftest import RUNTIMES


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    directory = tmp_path_factory.mktemp("l")
    program = directory / "launcher"
    source = RUNTIMES / "launcher/launcher.c"
    command = ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-static", f'-DBERTH_DIR="{directory}"', "-o", str(program), str(source)]
    subprocess.run(command, check=True)
    return directory, program


@pytest.fixture
def launch(build):
    directory, program = build
    listeners = []

    def listen(name):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(directory / name))
        listener.listen()
        listener.settimeout(5)
        listeners.append(listener)
        return listener

    def start(*command, sockets=("control.sock", "log.sock"), **kwargs):
        found = [listen(name) for name in sockets]
        process = subprocess.Popen([program, *command], stderr=subprocess.PIPE, **kwargs)
        return process, found

    start.listen = listen
    yield start
    for listener in listeners:
        listener.close()
    for name in ("control.sock", "log.sock"):
        (directory / name).unlink(missing_ok=True)


def read_all(connection):
    data = b""
    while more := connection.recv(65536):
        data += more
    return data


def test_agent_preempts_nobody(launch):
    process, (control, log) = launch("chrt", "-p", "0")
    control.accept()
    assert b"SCHED_BATCH" in read_all(log.accept()[0])
    process.communicate()


def test_agent_gets_its_four_descriptors_and_no_other(launch):
    inherited = os.open("/dev/null", os.O_RDONLY)
    script = "readlink /proc/$$/fd/0; ls /proc/$$/fd | tr '\\n' ' ' >&2; printf control >&3"
    process, (control, log) = launch("sh", "-c", script, pass_fds=[inherited])
    os.close(inherited)
    control, out, error = control.accept()[0], log.accept()[0], log.accept()[0]
    assert read_all(control) == b"control"
    assert read_all(out) == b"/dev/null\n"
    text = read_all(error).decode()
    assert text.startswith("0 1 2 3 ") and str(inherited) not in text.split()[4:]
    assert process.wait(5) == 0


def test_launcher_works_with_no_descriptor_open(launch):
    def close_all():
        for fd in range(3):
            os.close(fd)

    process, (control, log) = launch("sh", "-c", "printf control >&3; printf log", preexec_fn=close_all)
    assert read_all(control.accept()[0]) == b"control"
    assert read_all(log.accept()[0]) == b"log"
    assert process.wait(5) == 0


def test_launcher_waits_a_little_for_the_host(launch):
    process, _ = launch("true", sockets=())
    time.sleep(0.1)
    control = launch.listen("control.sock")
    time.sleep(0.1)
    log = launch.listen("log.sock")
    control.accept()
    log.accept()
    assert process.wait(5) == 0


@pytest.mark.parametrize("sockets, code", [((), 121), (("control.sock",), 122)])
def test_launcher_gives_up_with_an_exit_code_of_its_own(launch, sockets, code):
    process, _ = launch("true", sockets=sockets)
    started = time.monotonic()
    assert process.wait(5) == code
    assert time.monotonic() - started < 2
    assert b".sock: No such file" in process.stderr.read()


def test_missing_agent_is_127_and_said_in_the_log(launch):
    process, (_, log) = launch("no-such-agent")
    out, error = log.accept()[0], log.accept()[0]
    assert process.wait(5) == 127
    assert read_all(out) == b""
    assert read_all(error) == b"launcher: no-such-agent: No such file or directory\n"


def test_agent_that_is_no_program_is_126(launch):
    process, _ = launch("/dev/null")
    assert process.wait(5) == 126


def test_no_agent_is_a_usage_error(launch):
    process, _ = launch()
    assert process.wait(5) == 120


@pytest.mark.parametrize(
    "script, code",
    [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -SEGV $$", 139), ("kill -TERM $$", 143)],
)
def test_how_the_agent_ended_is_told_and_repeated(launch, script, code):
    process, (control, _) = launch("sh", "-c", script)
    control.accept()
    assert read_all(control.accept()[0]) == bytes([code])
    assert process.wait(5) == code


def test_an_agent_that_cannot_be_started_is_told_too(launch):
    process, (control, _) = launch("no-such-agent")
    control.accept()
    assert read_all(control.accept()[0]) == bytes([127])


def test_launcher_holds_nothing_of_its_agent(launch):
    process, (control, log) = launch("sh", "-c", "exec 1>&- 2>&- 3>&-; exec sleep 60")
    connections = [control.accept()[0], log.accept()[0], log.accept()[0]]
    end = control.accept()[0]
    assert [read_all(connection) for connection in connections] == [b"", b"", b""]
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert read_all(end) == bytes([143])


def test_signals_are_passed_on(launch):
    script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    process, (control, log) = launch("sh", "-c", script)
    assert log.accept()[0].recv(100) == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 7


def test_an_agent_finds_no_signal_blocked(launch):
    process, (_, log) = launch("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    assert {line.split()[1] for line in read_all(log.accept()[0]).splitlines()[:1]} == {b"0" * 16}
    assert process.wait(5) == 0


@pytest.mark.skipif(os.getuid() != 0, reason="makes a namespace of processes")
def test_as_init_it_collects_what_others_left_and_ends_all_of_it(build, launch):
    program = build[1]
    script = """
orphan=$(sh -c 'sleep 0.1 >/dev/null & echo $!')
until [ ! -e /proc/$orphan ]; do sleep 0.05; done
sleep 3600 &
echo $$
"""
    for name in ("control.sock", "log.sock"):
        launch.listen(name)
    process = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", program, "sh", "-c", script])
    assert process.wait(10) == 0  # what goes on would keep its namespace alive
