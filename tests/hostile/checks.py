"""What some rows of the table need: events that are made of the stack, and looks at more than the answer."""

import json
import subprocess

from support import wait_for

LOG_BYTES = 4096  # as in the table's settings
ANSWER_BYTES = 256 << 10  # more than an error's parts together, when each of them is cut as the protocol says


class Run:
    """One attack under way: what a check may look at."""

    def __init__(self, api, database, stack, attack, function, answer, log_mark):
        self.api, self.database, self.stack = api, database, stack
        self.attack, self.function, self.answer, self.log_mark = attack, function, answer, log_mark

    def log(self, answer=None):
        """The stored log of the attack's invocation, or of another one."""
        invocation = (answer or self.answer).headers["Berth-Invocation-Id"]
        self.database.metric(invocation)
        return self.database.log(invocation)


# Events


def addresses(stack):
    """Where the platform is on this machine: what an attacker would have to guess."""
    sandboxes = stack.dir / "state" / "sandboxes"
    shown = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    machine = {address["local"] for link in json.loads(shown) for address in link["addr_info"]}
    return {
        # And what it may be known by to containers and to sandboxes, if it has such an address at all.
        "machine": sorted(machine - {"127.0.0.1"} | {"172.17.0.1", "198.18.0.1"}),
        "https_port": stack.port,
        "http_port": stack.http_port,
        "database": f"{stack.dir}/postgres/run/.s.PGSQL.5432",
        "poolmgr": f"{stack.dir}/run/poolmgr.sock",
        "invoke": f"{stack.dir}/run/invoke-0.sock",
        "sandboxes": str(sandboxes),
        "neighbour": f"{sandboxes}/{next(iter(stack.sandbox_directories()))}/control.sock",
    }


# Looks


def rests(run):
    """Until the sandbox is back in the pool, where its end is noticed."""
    run.api.wait_for_rest()


def is_billed(run):
    """It is frozen soon, and the records of what follows say what it used until then."""
    who = run.api.execute(run.function, "who")
    wait_for("it to be frozen", run.stack.cgroup_of_user(who.json()["output"]).is_frozen, 5)
    last = run.api.execute(run.function, "behave")
    assert last.headers["Berth-Start"] == "warm"
    rows = [run.database.metric(answer.headers["Berth-Invocation-Id"]) for answer in (who, last)]
    assert sum(row["background_cpu_ms"] for row in rows) > 20


def code_is_unchanged(run):
    """The package that all sandboxes of this version have in common."""
    main = [path.read_text() for path in (run.stack.dir / "state" / "cache").glob("*/main.py")]
    assert run.attack.code() in main


def answers_are_its_own(run):
    """Whatever was said for it: the next invocation has the answer of its own run."""
    for _ in range(3):
        assert run.api.output(run.function, "behave") == "well"


def same_name_is_no_answer(run):
    """The next invocations have the answers of their own runs, also while the attack goes on, and though their client calls them the same."""
    name = run.answer.headers["X-Request-Id"]
    for _ in range(3):
        assert run.api.output(run.function, "behave", headers={"X-Request-Id": name}) == "well"


def log_is_cut(run):
    log = run.log()
    assert len(log["text"].encode()) == LOG_BYTES < log["log_bytes"]
    return log


def log_is_cut_of(printed):
    """Of all that was printed the start is kept, and the size is known."""

    def check(run):
        assert log_is_cut(run)["log_bytes"] == printed

    return check


def log_is_masked_at_once(run):
    """Finding the secrets takes a moment, whatever starting took: where each place is compared with each secret it takes seconds."""
    log = run.log()
    record = run.api.get(f"/invocations/{run.answer.headers['Berth-Invocation-Id']}").json()
    assert record["exec_ms"] + record["overhead_ms"] < 2500, record
    assert log["text"] == "a" * ((1 << 20) - 8) + "***"


def log_is_binary(run):
    run.log()
    kept = run.database.value(
        "select encode(log, 'hex') from invocation_logs where metric_id = :'id'", id=run.answer.headers["Berth-Invocation-Id"]
    )
    assert bytes.fromhex(kept) == bytes(range(256)) + b"\xc3(\xed\xa0\x80\xff\xfe\0"


def platform_log_is_clean(run):
    """Nothing of it controls a terminal, or begins a line, in berthd's log or nginx's; the client gets it escaped."""
    for name in ("berthd", "nginx", "access"):
        if (run.stack.dir / "log" / f"{name}.log").exists():
            since = run.stack.log_since(run.log_mark if name == "berthd" else 0, name)
            assert not any(c in since for c in "\x1b\x07\r\u202e"), name
            assert "\nts=2026-01-01" not in since
    assert "\x1b" not in run.answer.text and "\x07" not in run.answer.text
    assert json.loads(run.answer.text)["error"]["message"].startswith("\x1b]0;owned\x07")


def answer_is_short(run):
    assert len(run.answer.content) < ANSWER_BYTES
    error = run.answer.json()["error"]
    assert len(error["message"].encode()) <= 8 << 10
    assert len(error["stack"]) <= 64


def only_this_version_finds(left, listed=False):
    """The next run of this version finds what was left. A newer version of the function, and another function, do not."""

    def check(run):
        api, function = run.api, run.function
        found = left.format(name=function["name"])
        nothing = [] if listed else [None, None]
        assert api.output(function, "attack") == [found, found]
        assert api.put(f"/functions/{function['id']}", json={"timeout_ms": 1001}).status_code == 200
        assert api.output(function, "attack") == nothing

    return check


def late(left):
    """What is printed between two invocations is kept with the first, as late output."""

    def check(run):
        run.api.wait_for_rest()  # which takes longer than printing

        answer = run.api.execute(run.function, "again")
        assert answer.status_code == 200, answer.text
        log = run.log(answer)
        assert (log["text"], log["log_bytes"]) == ("mine\n", len("mine\n"))
        wait_for("what came late to be stored", lambda: "".join((run.log() or {}).get(part, "") for part in ("text", "late")) == left)

    return check
