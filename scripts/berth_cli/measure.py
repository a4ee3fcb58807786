"""
Measures one subject on each runtime, in turns, so that what else happens on the machine happens to all alike.

How a call began is what its answer says in Berth-Start, never a guess. Two copies of the function run on each runtime: one that keeps
its sandbox, for warm calls, and one with isolation per_invocation, of which each call takes a spare (prewarmed) as long as there is one
and has a container started (cold) when there is none.
"""

import collections
import email.utils
import json
import statistics
import time
import urllib.parse

from berth_cli import Failure
from berth_cli.api import Problem, quoted
from berth_cli.figures import mean, summary
from berth_cli.load import Load

KINDS = ("cold", "prewarmed", "warm")
SETTLE_S = 15  # for a load to find all sandboxes it needs
QUIET_S = 20  # for the pool to have its spares again
RECORDS_S = 15  # for the server to have counted all calls
POLL_S = 0.05


def wait_for(condition, seconds):
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def server_time(api):
    """In seconds; clocks of client and server may differ."""
    _, headers, _ = api.call("GET", "/healthz")
    return email.utils.parsedate_to_datetime(headers["Date"]).timestamp()


class Side:
    """A subject on one runtime."""

    def __init__(self, api, copies, subject, runtime, body):
        self.api, self.runtime, self.request_body = api, runtime, body
        common = subject.body | {"runtime": runtime, "min_warm": 0}
        self.kept = copies.deploy(common | {"isolation": "per_function"})
        self.fresh = copies.deploy(common | {"isolation": "per_invocation"})
        self.began_at = server_time(api)
        self.calls = 0  # of kept, that the server has answered
        self.starts = {kind: [] for kind in KINDS[:2]}
        self.warm = {}  # concurrency → [Result]
        self.check()

    def load(self, function, concurrency=1):
        return Load(self.api, "POST", f"/execute/{quoted(function['name'])}", self.request_body, concurrency)

    def run(self, load, *args, **options):
        options["timeout_s"] = self.kept["timeout_ms"] / 1000 + 60
        result = load.run(*args, **options)
        self.calls += sum(answer.status != 0 for answer in result.answers)
        return result

    def check(self):
        """A function that fails is not compared."""
        with self.load(self.kept) as load:
            (answer,) = self.run(load, 60, at_most=1).answers
        if answer.status != 200:
            try:
                problem = json.loads(answer.body)
            except ValueError:
                problem = None
            raise Problem(f"the function on {self.runtime}", answer.status, problem)
        with self.load(self.fresh) as load:
            self.call_fresh(load)  # gets the sandbox that the deployment tried the code in
        self.starts = {kind: [] for kind in self.starts}

    def is_quiet(self):
        """Nothing is on its way, and the spares that should be there are."""
        status, _, ready = self.api.call("GET", "/readyz")
        pool = ready.get("pool") if isinstance(ready, dict) else None
        if status != 200 or not pool:
            return False
        ours = f"{self.runtime}/{self.kept['language']}-{self.kept['language_version']}/"
        lacking = any(s["spare"] < s["spares_wanted"] for s in pool["shapes"] if s["shape"].startswith(ours))
        return not lacking and not any(pool["sandboxes"][state] for state in ("creating", "booting", "dying"))

    def call_fresh(self, load):
        """One call, kept under the kind of start that it had. Returns that kind."""
        (answer,) = load.run(60, at_most=1, timeout_s=self.kept["timeout_ms"] / 1000 + 60).answers
        if answer.status == 200 and answer.start in self.starts:
            self.starts[answer.start].append(answer)
        return answer.start

    def measure_starts(self, count):
        """So many prewarmed calls, each on a quiet machine, then calls one after the other, until so many found no spare."""
        if count == 0:
            return
        with self.load(self.fresh) as load:
            for _ in range(count):
                wait_for(self.is_quiet, QUIET_S)
                self.call_fresh(load)
            cold, spares_met = 0, []
            for _ in range(4 * count + 10):
                known = len(self.starts["prewarmed"])
                cold += self.call_fresh(load) == "cold"
                # Those that came on the way to a cold start had a machine that was busy with the one before.
                spares_met += self.starts["prewarmed"][known:]
                del self.starts["prewarmed"][known:]
                if cold == count:
                    break
            if not self.starts["prewarmed"]:
                self.starts["prewarmed"] = spares_met
        wait_for(self.is_quiet, QUIET_S)

    def measure_warm(self, concurrency, seconds):
        with self.load(self.kept, concurrency) as load:
            deadline = time.monotonic() + SETTLE_S
            while time.monotonic() < deadline:
                result = self.run(load, min(0.5, seconds))
                if all(answer.start == "warm" for answer in result.answers):
                    break
            self.warm.setdefault(concurrency, []).append(self.run(load, seconds))

    def server_figures(self):
        """What the platform counted of the copy that was called warm; complete: whether that is every call."""
        query = {"function": self.kept["id"], "from": int(self.began_at) - 60}
        told = {}

        def is_complete():
            period = urllib.parse.urlencode(query | {"to": int(server_time(self.api)) + 60})
            told.update(self.api.get(f"/metrics/runtimes?{period}")["runtimes"][self.runtime])
            return told["requests"] >= self.calls

        complete = wait_for(is_complete, RECORDS_S)
        return {name: told[name] for name in ("requests", "errors_by_code", "starts", "cpu_ms", "memory_bytes")} | {"complete": complete}

    def figures(self):
        told = {kind: start_figures(self.starts[kind]) for kind in self.starts}
        told["warm"] = {str(c): warm_figures(results) for c, results in self.warm.items()}
        return told | {"server": self.server_figures()}


def timing_figures(answers):
    return {f"{name}_ms": summary([a.timing[name] for a in answers if name in a.timing]) for name in ("queue", "init", "exec")}


def start_figures(answers):
    times = [a.ms for a in answers]
    return {"latency_ms": summary(times), "samples_ms": [round(t, 3) for t in times]} | timing_figures(answers)


def warm_figures(results):
    """latency_ms: of warm calls alone; per_second: good answers in each round, whatever their start."""
    answers = [a for r in results for a in r.answers]
    good = [a for a in answers if a.status == 200]
    warm = [a for a in good if a.start == "warm"]
    per_second = [sum(a.status == 200 for a in r.answers) / r.wall_s for r in results]
    return {
        "latency_ms": summary([a.ms for a in warm]),
        "per_second": statistics.median(per_second),
        "per_second_rounds": per_second,
        "starts": dict(collections.Counter(a.start for a in good)),
        "failed": dict(collections.Counter(str(a.status) for a in answers if a.status != 200)),
        "client_cpu_us": mean([r.cpu_s for r in results]) * 1e6 * len(results) / max(1, len(answers)),
    } | timing_figures(warm)


def part(count, rounds, round_):
    """Of a number that all rounds together make, what this one does."""
    return count * (round_ + 1) // rounds - count * round_ // rounds


def measure_subject(api, copies, subject, options, say):
    body = json.dumps({"input": options.input if options.input is not None else subject.input}).encode()
    sides = []
    for runtime in options.runtimes:
        say(f"{subject.name}: deploying on {runtime}")
        sides.append(Side(api, copies, subject, runtime, body))
    for round_ in range(options.rounds):
        turn = sides if round_ % 2 == 0 else sides[::-1]
        where = f"{subject.name}: round {round_ + 1} of {options.rounds}"
        for side in turn:
            say(f"{where}: starts on {side.runtime}")
            side.measure_starts(part(options.cold, options.rounds, round_))
        for concurrency in options.concurrency:
            for side in turn:
                say(f"{where}: {concurrency} at a time on {side.runtime}")
                side.measure_warm(concurrency, options.duration)
    say(f"{subject.name}: waiting for the platform's figures")
    sides.sort(key=lambda side: options.runtimes.index(side.runtime))
    return {"name": subject.name, "group": subject.group, "language": subject.language,
            "language_version": sides[0].kept["language_version"], "memory_limit_mb": sides[0].kept["memory_limit_mb"],
            "runtimes": {side.runtime: side.figures() for side in sides}}


def measure_client(api, options):
    """What a request costs that does next to nothing: client, TLS, nginx and a worker."""
    told = {}
    for concurrency in options.concurrency:
        with Load(api, "GET", "/healthz", concurrency=concurrency) as load:
            load.run(0.1)
            result = load.run(min(2, options.duration))
        good = [a.ms for a in result.answers if a.status == 200]
        if not good:
            raise Failure("GET /healthz fails")
        told[str(concurrency)] = {"latency_ms": summary(good), "per_second": len(good) / result.wall_s,
                                  "cpu_us": result.cpu_s * 1e6 / len(result.answers)}
    return told
