"""An installation of an earlier version, whose processes were all one user: `stack up` gives each what is its own."""

import os
import pwd
import shutil
import stat
import subprocess

from support import Database, wait_for

ROLES = ("berth-control", "berth-follow", "berth-pool", "berth-collector")
ONE_USER = "berth"


def make_earlier(stack, roles_of):
    """Ownership, modes and rights as they were."""
    for role in ROLES:
        roles_of.run(f'drop owned by "{role}"; drop role "{role}"')
    roles_of.run("grant connect, temporary on database berth to public")
    stack.run("down")
    for top, _, files in os.walk(stack.dir / "state"):
        for path in (top, *(f"{top}/{name}" for name in files)):
            if path != str(stack.dir / "state"):
                shutil.chown(path, ONE_USER, ONE_USER)
    (stack.dir / "state/cache").rename(stack.dir / "state/packages")
    for name in ("sandboxes", "packages", "spool", "spool/rejected"):
        (stack.dir / "state" / name).chmod(0o700)
    (stack.dir / "log").chmod(0o755)
    for path in (*(stack.dir / "log").iterdir(), stack.dir / "berth.conf", stack.dir / "options"):
        shutil.chown(path, "root", "root")
        path.chmod(0o644)


def held(path):
    found = path.lstat()
    return pwd.getpwuid(found.st_uid).pw_name, stat.S_IMODE(found.st_mode)


def test_what_all_processes_had_becomes_theirs_who_use_it(api, database, deploy, stack):
    function = deploy("def handler(event, context):\n    print(event)\n    return event\n")
    assert api.output(function, 1) == 1
    wait_for("it to be recorded", lambda: len(database.stored(function["id"])) == 1)
    spool_id = (stack.dir / "state/spool/id").read_text()
    make_earlier(stack, Database(f"host={stack.dir}/postgres/run dbname=berth user=postgres"))
    tampered = next((stack.dir / "state/packages").glob("*/main.py"))
    tampered.chmod(0o644)
    tampered.write_text("def handler(event, context):\n    return 'somebody else'\n")

    stack.run("up")

    state = stack.dir / "state"
    assert held(state / "sandboxes") == ("berth-pool", 0o700)
    assert held(state / "cache") == ("berth-pool", 0o700)
    assert held(state / "uids") == ("berth-pool", 0o600)
    assert held(state / "spool") == ("berth-collector", 0o1730)
    assert held(state / "spool/id") == ("berth-collector", 0o600)
    assert (state / "spool/id").read_text() == spool_id
    assert not (state / "packages").exists()
    assert {held(path)[1] for path in (stack.dir / "log").iterdir()} == {0o640}
    assert held(stack.dir / "berth.conf") == held(stack.dir / "options") == ("root", 0o600)

    # What others could write is not run, and what was recorded stays, and goes on.
    assert api.output(function, 2) == 2
    wait_for("the second one to be recorded", lambda: len(database.stored(function["id"])) == 2)
    refused = subprocess.run(
        ["setpriv", f"--reuid={ONE_USER}", f"--regid={ONE_USER}", "--clear-groups", "psql", "-Xqw", database.conninfo],
        input="select 1", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert refused.returncode != 0 and "Peer authentication failed" in refused.stderr
