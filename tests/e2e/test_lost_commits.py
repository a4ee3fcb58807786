"""The connection to PostgreSQL breaks just when a change is committed: what the answer says is what has become of it."""

import subprocess
import uuid

import pytest
from support import in_background, wait_for

CODE = "def handler(event, context):\n    return event\n"


def set_standby(database, stack, name):
    command = ["runuser", "-u", "postgres", "--", "psql", "-Xqw", "-v", "ON_ERROR_STOP=1", "-h", stack.dir / "postgres" / "run", "berth"]
    script = f"alter system set synchronous_standby_names = '{name}';\nselect pg_reload_conf();"
    subprocess.run(command, input=script, text=True, capture_output=True, check=True, timeout=60, cwd="/")
    now = "select current_setting('synchronous_standby_names') as value"
    wait_for("the setting", lambda: database.value(now) == name)


@pytest.fixture
def let_commits_hang(database, stack):
    """While it is said so every commit is done, and then waits for a standby that there is not: whoever waits can be cut off."""
    yield lambda hang: set_standby(database, stack, "nobody" if hang else "")
    set_standby(database, stack, "")


def cut_off(database, pool):
    waiting = f"application_name = 'berth-{pool}' and wait_event = 'SyncRep'"
    server = database.as_superuser()
    wait_for("the commit", lambda: server.value(f"select count(*) from pg_stat_activity where {waiting}") == 1)
    assert server.value(f"select count(pg_terminate_backend(pid)) from pg_stat_activity where {waiting}") == 1


@pytest.mark.parametrize("what", ["creation", "change", "deletion"])
def test_what_was_committed_is_not_denied(api, database, deploy, let_commits_hang, request, what):
    function = deploy(CODE) if what != "creation" else None
    let_commits_hang(True)
    name = f"lost-{uuid.uuid4().hex[:8]}"
    send = {
        "creation": lambda: api.post("/functions", json={"name": name, "language": "python", "code": CODE}),
        "change": lambda: api.put(f"/functions/{function['id']}", json={"timeout_ms": 1234}),
        "deletion": lambda: api.delete(f"/functions/{function['id']}"),
    }[what]
    answer = in_background(send)
    cut_off(database, "control" if what == "deletion" else "deploy")
    let_commits_hang(False)
    assert answer().status == {"creation": 201, "change": 200, "deletion": 204}[what], answer()
    if what == "creation":
        told = api.get(f"/functions/{name}").json()
        assert told["version"] == 1
        request.addfinalizer(lambda: api.delete_for_sure(f"/functions/{name}"))
    elif what == "change":
        told = api.get(f"/functions/{function['id']}").json()
        assert (told["version"], told["timeout_ms"]) == (2, 1234)
    else:
        assert api.get(f"/functions/{function['id']}").status_code == 404
