"""Parts "sparse" and "first": single calls, client to client."""

import time

from load import Caller
from report import median, percentile, print_table
from stack import noop


def cycle(callers, count, interval_s):
    """Each of the callers count times, once in each interval, evenly apart. [[ms]], or None for a call that failed."""
    times = [[] for _ in callers]
    due = time.monotonic()
    for _ in range(count):
        for caller, list_ in zip(callers, times):
            time.sleep(max(0, due - time.monotonic()))
            due += interval_s / len(callers)
            status, ms, _ = caller.call()
            list_.append(ms if status == 200 else None)
    return times


def measure_sparse(bench):
    o = bench.options
    rows, callers = [], {}
    for language in o.languages:
        callers[("host", language)] = Caller(bench.stack, "POST", "/execute/x", bench.host(language).port)
        for runtime in o.runtimes:
            name = f"sparse-{runtime}-{language}"
            bench.stack.deploy(name, runtime, language, noop(language))
            callers[(runtime, language)] = Caller(bench.stack, "POST", f"/execute/{name}")
    for caller in callers.values():
        for _ in range(5):
            caller.call()

    def add(key, base, interval_s, times, base_times):
        rows.append({"runtime": key[0], "language": key[1], "interval_s": interval_s, "ms": times, "base_ms": base_times,
                     "failed": sum(t is None for t in times)})
        bench.say(f"{' '.join(key)}, one every {interval_s} s: p50 {p50(times):.2f} ms, on the host {p50(base_times):.2f} ms")

    pairs = [((runtime, language), ("host", language)) for language in o.languages for runtime in o.runtimes]
    for key, base in pairs:  # one at a time, so that nothing else keeps processes and sandboxes awake
        add(key, base, 0.2, *cycle([callers[key], callers[base]], o.sparse_calls, 0.2))
    if o.rare_calls:
        time.sleep(3)  # until all are frozen
        times = dict(zip(callers, cycle(list(callers.values()), o.rare_calls, 10)))
        for key, base in pairs:
            add(key, base, 10, times[key], times[base])
    bench.stack.delete([f"sparse-{runtime}-{language}" for (runtime, language), _ in pairs])
    return rows


def p50(times):
    return median([t for t in times if t is not None] or [float("inf")])


def report_sparse(bench, rows, targets):
    print_table(["sparse calls", "one every", "p50 ms", "p50 ms of (b)", "more ms"],
                [[f"{r['runtime']} {r['language']}", f"{r['interval_s']} s", f"{p50(r['ms']):.2f}", f"{p50(r['base_ms']):.2f}",
                  f"{p50(r['ms']) - p50(r['base_ms']):.2f}"] for r in rows])
    for r in rows:
        targets.most(f"{r['runtime']}, {r['language']}, a call every {r['interval_s']} s: p50 above (b)",
                     p50(r["ms"]) - p50(r["base_ms"]), 1, " ms")
    bench.fail_if(sum(r["failed"] for r in rows), "sparse calls failed")


def measure_first(bench):
    """
    The first call of functions never called before, on a prewarmed sandbox: the one in which the deployment tried the code has
    been evicted.
    """
    o = bench.options
    rows = [{"runtime": runtime, "language": language, "ms": {}, "failed": 0}
            for runtime in o.runtimes for language in o.languages]

    def names(row):
        return [f"first-{row['runtime']}-{row['language']}-{i}" for i in range(o.first_calls)]

    with bench.stack.changed(pool__idle_timeout_ms=500):
        for row in rows:
            for name in names(row):
                bench.stack.deploy(name, row["runtime"], row["language"], noop(row["language"]))
        bench.stack.wait_for_pool(lambda p: p["sandboxes"]["idle"] == p["sandboxes"]["leased"] == p["sandboxes"]["dying"] == 0)
    for row in rows:
        with bench.stack.function("first-other", row["runtime"], row["language"], noop(row["language"])):
            warm = Caller(bench.stack, "POST", "/execute/first-other")
            for _ in range(50):  # the workers are new, as well
                warm.call()
        for name in names(row):
            bench.stack.wait_for_spares(row["runtime"], row["language"])
            time.sleep(0.2)
            status, ms, kind = Caller(bench.stack, "POST", f"/execute/{name}").call()
            row["failed"] += status != 200
            row["ms"].setdefault(kind, []).append(ms)
        bench.stack.delete(names(row))
        bench.say(f"first calls, {row['runtime']} {row['language']}: "
                  + ", ".join(f"{kind} {len(ms)}: p50 {median(ms):.1f} ms" for kind, ms in row["ms"].items()))
    return rows


FIRST_TARGETS = {"docker": {50: 8, 95: 20}, "gvisor": {50: 12, 95: 30}}


def report_first(bench, rows, targets):
    table = []
    for r in rows:
        prewarmed = r["ms"].get("prewarmed", [])
        bench.fail_if(r["failed"], "first calls failed")
        bench.fail_if(len(prewarmed) * 2 < bench.options.first_calls, "too few first calls met a prewarmed sandbox")
        if not prewarmed:
            continue
        p = {percent: percentile(prewarmed, percent) for percent in (50, 95)}
        table.append([f"{r['runtime']} {r['language']}", len(prewarmed),
                      *(f"{ms:.1f}" for ms in (p[50], p[95], max(prewarmed)))])
        for percent, limit in FIRST_TARGETS[r["runtime"]].items():
            what = f"{r['runtime']}, {r['language']}, first call on a prewarmed sandbox: p{percent}"
            targets.most(what, p[percent], limit, " ms")
    print_table(["first call of a new function", "calls", "p50 ms", "p95 ms", "worst ms"], table)
