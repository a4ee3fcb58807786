"""Parts "soak" and "overload": long, and more than the machine can take."""

import contextlib
import json
import sys
import time

import usage
from load import Probe, Wrk, wrk
from report import percentile, print_table
from stack import noop, sleeper, wait_for

SLOW_MS = 50
GROWTH_KB = 512  # of one process: pages that were touched for the first time, no leak


# ---- soak


def berthd_state(bench):
    """Role → pid → {pss_kb, fds}, once all is idle."""
    bench.stack.wait_for_pool(lambda p: p["sandboxes"]["leased"] == 0 and p["waiting"] == 0)
    time.sleep(2)  # the collector, too
    state = {}
    for p in usage.berthd_processes(bench.stack):
        state.setdefault(p.role, {})[str(p.pid)] = {"pss_kb": p.pss_kb(), "fds": p.fds()}
    return state


def invoke(bench, name, count):
    """At least so many invocations; what came of them."""
    total = {"requests": 0, "refused": 0, "broken": 0, "seconds": 0}
    seconds = 1
    while total["requests"] < count:
        r = wrk(bench, bench.stack.port, f"/execute/{name}", 16, seconds)
        for field in ("requests", "refused", "broken"):
            total[field] += r[field]
        total["seconds"] += r["duration_us"] / 1e6
        if r["requests"] == 0:
            sys.exit(f"{name} is not answered any more")
        left = (count - total["requests"]) * r["duration_us"] / 1e6 / r["requests"]
        seconds = max(1, min(30, round(left)))
    return total


def measure_soak(bench):
    count = bench.options.soak
    with bench.stack.function("soak", bench.options.runtimes[0], "python", noop("python")) as name:
        invoke(bench, name, min(count, 20000))
        before = berthd_state(bench)
        result = invoke(bench, name, count)
        after = berthd_state(bench)
    bench.say(f"{result['requests']} invocations, {result['requests'] / result['seconds']:.0f}/s")
    return {"result": result, "before": before, "after": after}


def growth(raw):
    """Role → the most that one of its processes has now, less the most that one had before, for each of pss_kb and fds."""

    def most(state, role, field):
        return max(p[field] for p in state[role].values())

    return {role: {field: most(raw["after"], role, field) - most(raw["before"], role, field) for field in ("pss_kb", "fds")}
            for role in raw["after"] if role in raw["before"]}


def report_soak(bench, raw, targets):
    by_role = growth(raw)

    def total(state, role, field):
        return sum(p[field] for p in raw[state].get(role, {}).values())

    print_table(["soak", "processes", "PSS kB before", "after", "files before", "after", "most PSS of one, growth kB"],
                [[role, f"{len(raw['before'].get(role, {}))} → {len(processes)}", total("before", role, "pss_kb"),
                  total("after", role, "pss_kb"), total("before", role, "fds"), total("after", role, "fds"),
                  by_role.get(role, {}).get("pss_kb", "")] for role, processes in raw["after"].items()])
    what = f"{raw['result']['requests']} invocations"
    targets.most(f"{what}: growth of the PSS of any process", max(g["pss_kb"] for g in by_role.values()), GROWTH_KB, " kB")
    targets.most(f"{what}: open files more in any process", max(g["fds"] for g in by_role.values()), 0)
    bench.fail_if(raw["result"]["refused"] + raw["result"]["broken"], "requests of the soak failed")


# ---- overload


def start_probes(bench, quiet):
    asked = {"quiet function": ("POST", f"/execute/{quiet}", 0.02), "GET /functions": ("GET", "/functions", 0.05),
             "GET /metrics/system": ("GET", "/metrics/system", 0.1), "GET /healthz": ("GET", "/healthz", 0.05)}
    return {name: Probe(bench.stack, *arguments) for name, arguments in asked.items()}


def stop_probes(probes):
    return {name: probe.stop() for name, probe in probes.items()}


def run_load(bench, noisy, clients, seconds):
    """Name → result; each of the noisy functions has its part of the clients."""
    runs = {name: Wrk(bench, bench.stack.port, f"/execute/{name}", clients // len(noisy), seconds) for name in noisy}
    return {name: run.result() for name, run in runs.items()}


def warm_up(bench, noisy):
    """Until there are as many sandboxes as the load needs: they start one after the other, while others do the work."""
    count = None
    for _ in range(15):
        run_load(bench, noisy, 64, 3)
        sandboxes = bench.stack.pool()["sandboxes"]
        before, count = count, sandboxes["leased"] + sandboxes["idle"]
        if count == before and sandboxes["creating"] == sandboxes["booting"] == 0:
            return


def logged(bench, mark):
    """What nginx has logged of the noisy functions since: status → [ms]."""
    found = {}
    with open(bench.stack.dir / "log/access.log", "rb") as log:
        log.seek(mark)
        for line in log:
            entry = json.loads(line)
            if entry["uri"].startswith("/execute/noisy-"):
                found.setdefault(entry["status"], []).append(entry["request_s"] * 1000)
    return found


NOISY = {"noisy-noop": noop("python"), "noisy-sleep": sleeper("python", SLOW_MS)}

# Short queues make nginx refuse most of it; who is refused asks again at once, as no decent client does.
LOADS = {
    "no-op": (["noisy-noop"], {}),
    f"{SLOW_MS} ms": (["noisy-sleep"], {}),
    "both": (["noisy-noop", "noisy-sleep"], {}),
    "both, queues of 100": (["noisy-noop", "noisy-sleep"], {"pool__queue_length": 100}),
}


def measure_overload(bench):
    stack, runtime = bench.stack, bench.options.runtimes[0]
    rows = []
    with contextlib.ExitStack() as functions:
        for name, code in (NOISY | {"quiet": noop("python")}).items():
            functions.enter_context(stack.function(name, runtime, "python", code))
        for load, (noisy, settings) in LOADS.items():
            with stack.changed(**settings) if settings else contextlib.nullcontext():
                rows.append({"load": load, "clients": bench.options.clients} | overload(bench, noisy))
    return rows


def overload(bench, noisy):
    o, stack, log = bench.options, bench.stack, bench.stack.dir / "log/access.log"
    warm_up(bench, noisy)
    peak = run_load(bench, noisy, 64, o.overload_seconds)
    wait_for("the load to end", lambda: stack.pool()["sandboxes"]["leased"] == 0)
    probes = start_probes(bench, "quiet")
    time.sleep(o.overload_seconds)
    alone = stop_probes(probes)
    mark = log.stat().st_size
    probes = start_probes(bench, "quiet")
    results = run_load(bench, noisy, o.clients, o.overload_seconds)
    meanwhile = stop_probes(probes)
    time.sleep(1.5)  # nginx writes its log once a second
    statuses = logged(bench, mark)
    refused = [ms for status in (429, 503) for ms in statuses.get(status, [])]
    refusal_ms = {"p50": percentile(refused, 50), "p99": percentile(refused, 99), "max": max(refused)} if refused else None
    return {"peak": peak, "loaded": results, "alone": alone, "meanwhile": meanwhile, "refusal_ms": refusal_ms,
            "statuses": {str(status): len(list_) for status, list_ in statuses.items()}}


def report_overload(bench, rows, targets):
    alone = {}
    for row in rows:
        if len(row["peak"]) == 1:
            alone |= {name: max(run[name]["per_second"] for run in (row["peak"], row["loaded"])) for name in row["peak"]}
        report_one_overload(row, alone, targets)


def work(results, alone):
    """Calls of different functions cost differently: each counts as its part of the most that its function alone could do."""
    return sum(result["per_second"] / alone[name] for name, result in results.items())


def report_one_overload(row, alone, targets):
    clients, statuses = row["clients"], row["statuses"]
    runs = {64: row["peak"], clients: row["loaded"]}
    what = f"{row['load']}, {clients} clients:"
    print_table([f"overload: {row['load']}", *row["peak"], "work", "no answer"],
                [[f"{number} clients", *(f"{r['per_second']:.0f}/s" for r in run.values()), f"{work(run, alone):.2f}",
                  sum(r["broken"] for r in run.values())] for number, run in runs.items()])
    print_table(["status", "answers"], sorted(statuses.items()))
    targets.least(f"{what} work ÷ peak", work(row["loaded"], alone) / work(row["peak"], alone), 0.8)
    # 499: wrk's own end, in the middle of a request of each client
    targets.most(f"{what} answers other than 200, 429, 503",
                 sum(n for status, n in statuses.items() if status not in ("200", "429", "503", "499")), 0)
    targets.most(f"{what} no answer", sum(r["broken"] for r in row["loaded"].values()), 0)
    if row["refusal_ms"]:
        print_table(["refusals", "p50 ms", "p99 ms", "max ms"],
                    [["429 and 503", *(f"{row['refusal_ms'][key]:.0f}" for key in ("p50", "p99", "max"))]])
        targets.most(f"{what} slowest refusal", row["refusal_ms"]["max"], 10, " ms")
    report_probes(row, what, targets)


def report_probes(row, what, targets):
    table = []
    for name, calls in row["meanwhile"].items():
        p = [percentile([ms for _, ms in list_], percent) for list_ in (row["alone"][name], calls) for percent in (50, 99)]
        failed = sum(status != 200 for status, _ in calls)
        table.append([name, *(f"{ms:.2f}" for ms in p), failed])
        targets.most(f"{what} {name}, p99 ÷ unloaded", p[3] / p[1], 3)
        targets.most(f"{what} {name}, failed", failed, 0)
    print_table(["beside it", "unloaded p50 ms", "p99 ms", "loaded p50 ms", "p99 ms", "failed"], table)
