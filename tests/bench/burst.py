"""Part "burst": simultaneous first calls to one new function, beside the bare cost of starting the containers they needed."""

import concurrent.futures
import threading
import time

from load import Caller
from report import median, of, print_table
from stack import RUNTIMES, noop, sleeper

HANDLERS = {"no-op": noop("python"), "200 ms": sleeper("python", 200)}


def burst(bench, name, count):
    callers = [Caller(bench.stack, "POST", f"/execute/{name}") for _ in range(count)]
    barrier = threading.Barrier(count)

    def call(caller):
        barrier.wait()
        begin = time.perf_counter()
        status, ms, _ = caller.call()
        return begin, begin + ms / 1000, status

    since = time.time()
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        calls = list(threads.map(call, callers))
    started = bench.engine.started_between(since, time.time())
    return {"seconds": max(end for _, end, _ in calls) - min(begin for begin, _, _ in calls), "containers": started,
            "errors": [status for _, _, status in calls if status != 200]}


def measure(bench):
    o = bench.options
    parallel = int(bench.stack.setting("pool", "max_starts"))
    rows = []
    for runtime in o.runtimes:
        for handler, code in HANDLERS.items():
            rounds = []
            for number in range(o.rounds):
                with bench.stack.function(f"burst-{number}", runtime, "python", code) as name:
                    bench.stack.wait_for_spares(runtime, "python")
                    like = bench.engine.sandboxes(RUNTIMES[runtime], "python")[0]
                    r = burst(bench, name, o.burst)
                    bench.stack.wait_for_spares(runtime, "python")
                    r["bare_seconds"] = bench.engine.start_bare(like, r["containers"], parallel, bench.work / "bare") if (
                        r["containers"]) else 0
                rounds.append(r)
                bench.say(f"burst of {o.burst}, {runtime}, {handler}: {r['seconds']:.2f} s, {len(r['errors'])} errors, "
                          f"{r['containers']} containers started; starting them bare takes {r['bare_seconds']:.2f} s")
            rows.append({"runtime": runtime, "handler": handler, "parallel": parallel, "rounds": rounds})
    return rows


def ratio(row):
    """None: no container had to be started."""
    ratios = [r["seconds"] / r["bare_seconds"] for r in row["rounds"] if r["containers"]]
    return median(ratios) if ratios else None


def report(bench, rows, targets):
    table = []
    for row in rows:
        rounds, r = row["rounds"], ratio(row)
        errors = sum(len(one["errors"]) for one in rounds)
        what = f"{row['runtime']}, burst of {bench.options.burst}, {row['handler']}"
        table.append([what, errors, f"{of(rounds, 'seconds'):.2f}", f"{of(rounds, 'containers'):g}",
                      f"{of(rounds, 'bare_seconds'):.2f}", "" if r is None else f"{r:.2f}"])
        targets.most(f"{what}: errors", errors, 0)
        if r is not None:
            targets.most(f"{what}: time ÷ bare start of the containers", r, 1.5)
    print_table(["", "errors", "seconds", "containers started", "bare start, s", "÷"], table)
