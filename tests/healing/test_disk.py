"""The disk of the state directory is full: what is warm goes on, the rest says why not, and all is well once there is space again."""

import shutil
import signal
import subprocess
import time

import pytest
from support import check_problem, unique, wait_for
from traffic import RECOVERY_S, Traffic

CODE = "def handler(event, context):\n    return 1\n"


@pytest.fixture
def small_disk(stack):
    """The stack with its state directory on a disk that a test can fill."""
    state = stack.dir / "state"

    def restart(*command):
        master = stack.master()
        master.kill(signal.SIGTERM)
        wait_for("berthd to stop", lambda: not master.is_alive(), 30)
        subprocess.run([*command, state], check=True)
        stack.run("up")

    restart("mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=2000,mode=0755", "tmpfs")
    yield state
    shutil.rmtree(state / "fill", ignore_errors=True)
    restart("umount")


def fill(disk):
    """Takes all space, then all inodes; what is free again, too."""
    directory = disk / "fill"
    directory.mkdir(exist_ok=True)
    try:
        with open(directory / "0", "ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass
    try:
        for _ in range(2000):
            (directory / unique("inode")).touch()
    except OSError:
        pass


def test_a_full_disk(api, database, deploy, load, small_disk, stack):
    known = deploy(CODE)
    traffic = Traffic(api, database, deploy, load)
    mark = stack.log_mark()
    before = {p.pid for p in stack.children() if p.role != "invoke"}
    full_at = time.monotonic()
    fill(small_disk)
    wait_for("records to be dropped", lambda: "record of an invocation dropped" in stack.log_since(mark))
    for one in traffic.loads:
        one.wait_for_more(50)

    new = {
        "one whose code is new": {"code": CODE + "# new\n"},
        "one that needs a sandbox of a new shape": {"code": CODE, "memory_limit_mb": 300},
    }
    def refused(fields):
        """The problem. A sandbox that ends, or records that are stored, leave some space for a moment."""
        fill(small_disk)
        name = unique("no-space")
        answer = api.post("/functions", json={"name": name, "language": "python"} | fields)
        if answer.status_code == 201:
            api.delete(f"/functions/{name}")
            return None
        return check_problem(answer, 503, "runtime_unavailable")

    for fields in new.values():
        problem = wait_for("it to be refused", lambda f=fields: refused(f))
        assert "No space left on device" in problem["detail"], problem
    assert api.output(known) == 1

    shutil.rmtree(small_disk / "fill")
    for fields in new.values():
        name = unique("space-again")
        body = {"name": name, "language": "python"} | fields
        wait_for("space", lambda b=body: api.post("/functions", json=b).status_code == 201, RECOVERY_S)
        assert api.output(name) == 1
        assert api.delete(f"/functions/{name}").status_code == 204
    space_at = time.monotonic()
    traffic.go_on(50)
    traffic.stop()
    for answer in traffic.failed():  # a sandbox more than there were
        assert answer.code == "runtime_unavailable" and "No space left on device" in answer.text, answer
    assert traffic.api_load.failed() == []
    assert before <= {p.pid for p in stack.children()}  # nobody died of it
    wait_for("nothing to be left over", lambda: stack.is_tidy(api), 20)

    # What was answered is on record, but for some of it while there was no space for that.
    missing = 0
    for function, one in zip(traffic.functions, traffic.loads):
        safe = {a.invocation_id for a in one.answers if a.ended < full_at or a.started > space_at}
        wait_for("what was answered to be stored", lambda f=function, s=safe: database.stored(f["id"]).keys() >= s)
        stored = database.stored(function["id"])
        assert {len(rows) for rows in stored.values()} == {1}
        missing += len(one.answers) - len(stored)
    assert missing > 0
