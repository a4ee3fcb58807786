"""Who may do what: each line of the table in ARCHITECTURE.md, "Trust", tried from each process, as if it had been taken over."""

import grp
import os
import re
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from possession import SEIZE, Possessed, is_possible
from support import wait_for

ROOT = Path(__file__).parents[2]
KINDS = ["invoke", "control", "follow", "poolmgr", "collector", "warden"]
STORING = {"control", "follow", "poolmgr", "collector"}
LIKE_CONTROL = {"deploy", "query", "health"}  # the same program, as the same user

pytestmark = pytest.mark.skipif(not is_possible(), reason="system calls are made for processes on x86-64 only")


def kind_of(process):
    return "control" if process.role in LIKE_CONTROL else process.role


def table():
    """What a process may do → kind of process → whether it may, as ARCHITECTURE.md says."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    lines = text[text.index("| a process that was taken over may |") :].splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[2:-1]] == KINDS
    found = {}
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        what, *cells = (cell.strip() for cell in line.split("|")[1:-1])
        assert set(cells) <= {"yes", "no"}, line
        found[what] = dict(zip(KINDS, (cell == "yes" for cell in cells)))
    return found


class Part:
    """The part of one process, to be taken."""

    def __init__(self, stack, kind):
        self.stack, self.kind = stack, kind
        self.process = wait_for(f"a process {kind}", lambda: stack.children(kind))[0]
        self.state, self.run_dir = stack.dir / "state", stack.dir / "run"

    def possessed(self):
        return Possessed(self.process.pid)

    def can_open(self, flags, *paths):
        with self.possessed() as process:
            return {f"open {path}": process.open(path, flags, 0o600) == 0 for path in paths}

    def can_connect(self, *paths):
        with self.possessed() as process:
            return {f"connect {path}": process.connect(path) == 0 for path in paths}

    def others(self):
        return [p for p in (self.stack.master(), *self.stack.children()) if p.pid != self.process.pid]

    def run(self, *command, stdin=""):
        """A program as the same user, with the same groups: for what goes by these alone."""
        status = self.process.status
        uid, gid = status["Uid"].split()[0], status["Gid"].split()[0]
        groups = ",".join(status["Groups"].split())
        identity = ["setpriv", f"--reuid={uid}", f"--regid={gid}", f"--groups={groups}" if groups else "--clear-groups"]
        return subprocess.run([*identity, *command], input=stdin, capture_output=True, text=True, timeout=120, cwd="/")

    def can_connect_at_all(self):
        with self.possessed() as process:
            fd = process.call("socket", 1, 1, 0)
            if fd >= 0:
                process.call("close", fd)
            return fd >= 0

    def sql(self, *statements, user=None):
        """Whether PostgreSQL carries each of them out; whatever it does is rolled back."""
        conninfo = f"host={self.stack.dir}/postgres/run dbname=berth" + (f" user={user}" if user else "")
        done = {}
        for statement in statements:
            no_rows = "\\.\n" if statement.startswith("copy") else ""
            script = f"begin;\n{statement};\n{no_rows}rollback;\n"
            command = ("psql", "-XAtqw", "-v", "ON_ERROR_STOP=1", conninfo)
            answer = self.run(*command, stdin=script) if self.can_connect_at_all() else None
            done[f"{user or ''}: {statement}"] = answer is not None and answer.returncode == 0
        return done

    def ask_poolmgr(self, name, *fields):
        """Whether poolmgr answers that message, which only a worker has to send."""
        messages = re.findall(r"^IPC_MESSAGE\((\w+),", (ROOT / "fcgi/ipc/ipc_msg.def").read_text(), re.M)

        def encode(message, *values):
            text = bytes([messages.index(message)])
            for value in values:
                text += value if isinstance(value, bytes) else struct.pack(">I", len(value)) + value.encode()
            return text

        hello, question = encode("HELLO", struct.pack(">I", 1), ""), encode(name, *fields)
        program = (
            "import socket, sys\n"
            "link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
            "link.settimeout(20)\n"
            "link.connect(sys.argv[1])\n"
            "for part in sys.argv[2:]: link.send(bytes.fromhex(part))\n"
            "sys.exit(not link.recv(65536))\n"
        )
        if not self.can_connect_at_all():
            return {name: False}
        path = str(self.run_dir / "poolmgr.sock")
        done = self.run(sys.executable, "-I", "-c", program, path, hello.hex(), question.hex())
        return {name: done.returncode == 0}


# What each line of the table means: (part of a process) → what was tried → whether it could.


def signal(part):
    with part.possessed() as process:
        return {p.title: process.call("kill", p.pid, 0) == 0 for p in part.others() if kind_of(p) != part.kind}


def attach(part):
    with part.possessed() as process:
        return {p.title: process.call("ptrace", SEIZE, p.pid, 0, 0) == 0 for p in part.others()}


def read_program(part):
    return part.can_open(os.O_RDONLY, os.readlink(f"/proc/{part.process.pid}/exe"), "/proc/self/exe")


def become_root(part):
    with part.possessed() as process:
        return {"setuid": process.call("setuid", 0) == 0}


def open_docker(part):
    return part.can_connect(part.stack.settings()["docker.socket"])


def write_to(name):
    return lambda part: part.can_open(os.O_TMPFILE | os.O_WRONLY, part.state / name)


def begin_spool_file(part):
    return part.can_open(os.O_TMPFILE | os.O_WRONLY, part.state / "spool")


def spool_file(part):
    files = [f for f in (part.state / "spool").iterdir() if f.suffix == ".spool"]
    assert files, "there is a file of records, as long as its worker lives"
    return files[0]


def find_spool_files(part):
    listed = part.can_open(os.O_RDONLY | os.O_DIRECTORY, part.state / "spool")
    # Whoever cannot list them does not know the name.
    return listed | part.can_open(os.O_RDONLY, spool_file(part)) if any(listed.values()) else listed


def change_records(part):
    path = spool_file(part)
    with part.possessed() as process:
        return {"open": process.open(path, os.O_WRONLY) == 0, "truncate": process.call("truncate", str(path), 1 << 40) == 0}


def lease(part):
    in_20_s = struct.pack(">Q", time.monotonic_ns() // 1000 + 20_000_000)
    return part.ask_poolmgr("LEASE", struct.pack(">Q", 1), "nobody's", struct.pack(">I", 0), in_20_s, "trust")


def invalidate(part):
    return part.ask_poolmgr("INVALIDATE", struct.pack(">Q", 1), bytes(16), struct.pack(">I", 1))


def bypass_nginx(part):
    return part.can_connect(*(part.run_dir / f"{name}.sock" for name in ("invoke-0", "control", "follow")))


def make_in_run(part):
    return part.can_open(os.O_TMPFILE | os.O_WRONLY, part.run_dir)


def read_private(part):
    private = [*(part.stack.dir / "log").iterdir(), part.stack.dir / "berth.conf", part.stack.dir / "tls" / "key.pem"]
    return part.can_open(os.O_RDONLY, part.stack.dir / "log", *private)


def connect(part):
    return {"socket": part.can_connect_at_all()}


def execute(part):
    with part.possessed() as process:
        return {"execve": process.call("execve", "/nonexistent", 0, 0) == -2}  # ENOENT: it was looked for


def sql(*statements):
    return lambda part: part.sql(*statements)


def be_another(part):
    roles = {"berth", "postgres", "berth-control", "berth-follow", "berth-pool", "berth-collector"}
    settings = part.stack.settings()
    own = settings[f"{part.kind.replace('poolmgr', 'pool')}.user"]
    done = {}
    for role in roles - ({own} if part.kind in STORING else set()):
        done |= part.sql("select 1", user=role)
    return done | part.sql(
        "create table probe ()", "create temporary table probe ()", "alter table metrics owner to current_user", "create role probe"
    )


TRIED = {
    "signal a process of another kind, or the master": signal,
    "attach to a process, be it of its own kind": attach,
    "read the program that it runs": read_program,
    "become root": become_root,
    "open Docker's socket": open_docker,
    "write to sandboxes": write_to("sandboxes"),
    "write to the package cache": write_to("cache"),
    "begin a file of the spool": begin_spool_file,
    "find the files of the spool, and read them": find_spool_files,
    "change what a worker has recorded": change_records,
    "lease a sandbox": lease,
    "tell poolmgr, on its socket, that a function has changed": invalidate,
    "send requests to workers, past nginx": bypass_nginx,
    "make files in run/": make_in_run,
    "read logs, berth.conf, or the key of the certificate": read_private,
    "make connections": connect,
    "start programs": execute,
    "read functions: code and environment": sql(
        "select environment from function_versions limit 1", "select archive from packages limit 1", "select function_spec('x', 0)"
    ),
    "store functions": sql(
        "insert into functions (function_id, name, version) select gen_random_uuid(), 'probe', 1 where false",
        "insert into function_versions select * from function_versions where false",
        "insert into packages (sha256, archive, size) select '', '', 0 where false",
        "update functions set version = version where false",
        "select delete_function_versions(gen_random_uuid())",
    ),
    "read invocations and logs": sql("select caller from metrics limit 1", "select log from invocation_logs limit 1"),
    "record invocations": sql(
        "copy metrics from stdin", "copy invocation_logs from stdin",
        "insert into spool_offsets (file_name, spool_id, byte_offset) select '', gen_random_uuid(), 0 where false",
        "select ensure_metrics_partitions(current_date)",
    ),
    "change or delete a recorded invocation": sql(
        "update metrics set status = 200 where false", "delete from metrics where false",
        "update invocation_logs set log = '' where false", "delete from invocation_logs where false", "truncate metrics_day",
    ),
    "drop what was recorded today": sql(
        "select drop_metrics_partitions('metrics', current_date + 1)",
        "select drop_metrics_partitions('public.metrics', date '2020-01-01')",
        "select drop_metrics_partitions('functions', date '2020-01-01')",
    ),
    "make tables, or be another role": be_another,
}  # fmt: skip

TABLE = table()


@pytest.fixture(scope="module", autouse=True)
def something_is_recorded(api, deploy_once):
    """So that there is a worker with a spool file."""
    assert api.output(deploy_once("def handler(event, context):\n    return event\n"), 1) == 1


def test_every_line_of_the_table_is_tried():
    assert list(TABLE) == list(TRIED)


def test_the_table_has_all_kinds_of_processes(stack):
    assert {kind_of(p) for p in stack.children()} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", TABLE)
def test_a_process_that_was_taken_over_may_do_what_the_table_says(stack, what, kind):
    done = TRIED[what](Part(stack, kind))
    assert done and {tried for tried, could in done.items() if could != TABLE[what][kind]} == set()


def test_a_process_that_was_possessed_goes_on_with_its_work(api, stack, deploy):
    """Or the tests above would look at processes that die of them."""
    function = deploy("def handler(event, context):\n    return event\n")
    before = {p.pid for p in stack.children() if p.role not in ("invoke", "deploy")}  # which come and go
    for kind in KINDS:
        with Possessed(stack.children(kind)[0].pid) as process:
            assert process.call("close", -1) == -9  # EBADF
    assert api.output(function, 1) == 1
    assert {p.pid for p in stack.children() if p.role not in ("invoke", "deploy")} == before


# What goes by time: from the first instruction on.

ATTACH_TO_THE_NEXT = """
import ctypes, os, signal, sys, time

libc = ctypes.CDLL(None, use_errno=True)
master, victims = sys.argv[1], [int(pid) for pid in sys.argv[2:]]

def children():
    with open(f"/proc/{master}/task/{master}/children") as listed:
        return {int(pid) for pid in listed.read().split()}

before, killed = children(), 0
for victim in victims:
    try:
        os.kill(victim, signal.SIGKILL)
        killed += 1
    except PermissionError:
        print("denied")
new, end = set(), time.monotonic() + (90 if killed else 0)  # a process that died before waits for its turn
while time.monotonic() < end:
    if not new:
        new = children() - before
        end = time.monotonic() + 0.5 if new else end
    for pid in new:
        if libc.ptrace(0x4206, pid, None, None) == 0:
            print("held", pid)
            sys.exit(1)
print("born", len(new))
"""


def attach_to_the_next(stack, kind, victims):
    part = Part(stack, kind)
    return part.run(sys.executable, "-I", "-c", ATTACH_TO_THE_NEXT, str(stack.master().pid), *(str(p.pid) for p in victims))


def test_an_invoke_worker_cannot_kill_poolmgr_to_catch_the_next_one(stack):
    victims = [p for p in stack.children() if p.role != "invoke"]
    done = attach_to_the_next(stack, "invoke", victims)
    assert (done.returncode, done.stdout.split()) == (0, ["denied"] * len(victims) + ["born", "0"]), done.stderr
    assert all(p.is_alive() for p in victims)


@pytest.mark.parametrize("kind", ["invoke", "control", "poolmgr", "collector"])
def test_nobody_catches_a_process_of_its_own_kind_before_it_is_closed(api, stack, kind):
    """Who ends processes of the same user, all of them since the master may need no other for one, tries to attach to the next one."""
    victims = wait_for("processes to end", lambda: stack.children(kind))
    done = attach_to_the_next(stack, kind, victims)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert int(done.stdout.removeprefix("born ")) > 0
    wait_for("the stack to be ready", lambda: api.get("/readyz").status_code == 200, 30)


# Files


def test_logs_are_for_root_and_administrators_and_nobody_else_sees_which_there_are(stack):
    adm = grp.getgrnam("adm").gr_gid
    log = (stack.dir / "log").stat()
    assert (log.st_uid, log.st_gid, stat.S_IMODE(log.st_mode) & 0o777) == (0, adm, 0o750)
    names = {f.name for f in (stack.dir / "log").iterdir()}
    assert {"access.log", "berthd.log", "nginx.log", "postgres.log"} <= names
    for file in (stack.dir / "log").iterdir():
        held = file.stat()
        assert (held.st_gid, stat.S_IMODE(held.st_mode)) == (adm, 0o640), file
    engine = Path("/run/berth-docker/dockerd.log")
    assert not engine.exists() or stat.S_IMODE(engine.stat().st_mode) == 0o640


def test_who_is_not_berths_is_told_nothing(stack):
    nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    for path in ("log", "log/access.log", "berth.conf", "options", "pids/berthd.conf", "tls/key.pem", "state/spool", "state/sandboxes"):
        reading = ["ls", "-d", f"{stack.dir}/{path}/."] if (stack.dir / path).is_dir() else ["cat", f"{stack.dir}/{path}"]
        done = subprocess.run([*nobody, *reading], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "Permission denied" in done.stderr, (path, done)
