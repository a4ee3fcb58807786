"""
Part "throughput": no-op functions as fast as they go.

(a) constant: nginx → FastCGI process that answers with a constant
(b) host:     nginx → FastCGI process → the language's agent on the host, without a sandbox
(c) docker:   nginx → Berth → the same agent in a warm sandbox of Docker
(d) gvisor:   the same in one of gVisor

All stand behind the same nginx configuration, TLS included, and get the same requests from wrk. They are measured in turn,
round after round. Ratios are medians of each round's; all else is the median of the rounds.
"""

import time

import usage
from load import wrk
from report import median, of, print_table
from stack import noop

LABELS = {"constant": "(a)", "host": "(b)", "docker": "(c)", "gvisor": "(d)"}
ROLES = ("nginx", "responder", "agent", "invoke", "sandboxes", "poolmgr", "collector", "deploy", "query",
         "health", "control", "follow", "warden", "master", "postgres", "docker")
SETTLE_S = 0.5  # until what a run leaves to do later, such as storing its records, is done: part of its processor time


class Target:
    """One row of the table: where its requests go, and who works for them."""

    def __init__(self, bench, kind, language=None):
        self.bench, self.kind, self.language = bench, kind, language
        self.name = f"{kind}-{language}" if language else kind
        self.path = f"/execute/bench-{self.name}"
        self.baseline = None
        if kind == "constant":
            self.baseline = bench.constant()
        elif kind == "host":
            self.baseline = bench.host(language)
        else:
            bench.stack.deploy(f"bench-{self.name}", kind, language, noop(language))
        self.port = self.baseline.port if self.baseline else bench.stack.port
        self.cgroups = []

    def run(self, concurrency, seconds):
        return wrk(self.bench, self.port, self.path, concurrency, seconds)

    def accounts(self):
        return usage.baseline_accounts(self.baseline) if self.baseline else usage.stack_accounts(self.bench.stack, self.cgroups)

    def measure(self, concurrency, seconds):
        if not self.baseline:
            self.cgroups = usage.cgroups_of(self.bench.engine.sandboxes())
        before = self.accounts()
        result = self.run(concurrency, seconds)
        time.sleep(SETTLE_S)
        used = usage.used(before, self.accounts())
        result["cpu_us"] = {role: s * 1e6 / max(result["requests"], 1) for role, s in used.items()}
        result["cpu_us_all"] = sum(result["cpu_us"].values())
        return result


def measure(bench):
    o = bench.options
    targets = [Target(bench, "constant")]
    for language in o.languages:
        targets += [Target(bench, kind, language) for kind in ("host", *o.runtimes)]
    rows = []
    for concurrency in o.concurrency:
        for target in targets:
            target.run(concurrency, 1)  # sandboxes and processes warm up
        results = {target.name: [] for target in targets}
        for number in range(o.rounds):
            for target in targets[number % len(targets):] + targets[:number % len(targets)]:
                r = target.measure(concurrency, o.seconds)
                results[target.name].append(r)
                bench.say(f"{target.name:17} concurrency {concurrency:3}  round {number + 1}: {r['per_second']:7.0f}/s  "
                          f"p50 {r['p50_us'] / 1000:.2f} ms  p99 {r['p99_us'] / 1000:.2f} ms")
        rows += [{"name": t.name, "kind": t.kind, "language": t.language, "concurrency": concurrency, "rounds": results[t.name]}
                 for t in targets]
    bench.stack.delete([f"bench-{t.name}" for t in targets if not t.baseline])
    return rows


def ratio(rows, row, field):
    """To the baseline (b) of the same language and concurrency; None without one."""
    base = next((r for r in rows if r["name"] == f"host-{row['language']}" and r["concurrency"] == row["concurrency"]), None)
    return base and median(one[field] / other[field] for one, other in zip(row["rounds"], base["rounds"]))


def report(bench, rows, targets):
    table = []
    for row in rows:
        rounds = row["rounds"]
        ratios = [ratio(rows, row, field) for field in ("per_second", "p50_us", "p99_us")]
        table.append([f"{LABELS[row['kind']]} {row['name']}", row["concurrency"], f"{of(rounds, 'per_second'):.0f}",
                      *(f"{of(rounds, field) / 1000:.2f}" for field in ("p50_us", "p90_us", "p99_us", "max_us")),
                      f"{of(rounds, 'cpu_us_all'):.0f}", *("" if r is None else f"{r:.2f}" for r in ratios)])
    print_table(["", "concurrency", "requests/s", "p50 ms", "p90 ms", "p99 ms", "max ms", "CPU µs/request",
                 "throughput ÷ (b)", "p50 ÷ (b)", "p99 ÷ (b)"], table)
    report_cpu(rows)
    for row in rows:
        judge(rows, row, targets)
    bench.fail_if(sum(r["refused"] + r["broken"] for row in rows for r in row["rounds"]), "requests for throughput failed")


def report_cpu(rows):
    """Whose processor time it is."""
    shares = [(row, {role: median(r["cpu_us"].get(role, 0) for r in row["rounds"]) for role in ROLES}) for row in rows]
    roles = [role for role in ROLES if any(share[role] >= 0.5 for _, share in shares)]
    print_table(["CPU µs/request", "concurrency", *roles],
                [[row["name"], row["concurrency"], *(f"{share[role]:.0f}" if share[role] >= 0.5 else "" for role in roles)]
                 for row, share in shares])


def judge(rows, row, targets):
    what = f"{row['kind']}, {row['language']}, concurrency {row['concurrency']}, ÷ (b):"
    if row["kind"] == "docker":
        if row["concurrency"] in (16, 64):
            targets.least(f"{what} throughput", ratio(rows, row, "per_second"), 1.0)
        if row["concurrency"] == 1:
            targets.most(f"{what} p50", ratio(rows, row, "p50_us"), 1.25)
        if row["concurrency"] in (1, 16, 64):
            targets.most(f"{what} p99", ratio(rows, row, "p99_us"), 2)
    elif row["kind"] == "gvisor" and row["language"] == "python":
        if row["concurrency"] in (16, 64):
            targets.least(f"{what} throughput", ratio(rows, row, "per_second"), 0.6)
        if row["concurrency"] == 1:
            targets.most(f"{what} p50", ratio(rows, row, "p50_us"), 1.5)
