"""
Part "recording": what it costs that every invocation is on record, and how fast records get to PostgreSQL.

The same function is called with recording on and off in turn. Then PostgreSQL is away for a while at full load, and comes back
while the load goes on.
"""

import json
import os
import signal
import subprocess
import time

import usage
from load import Caller, Wrk, wrk
from report import median, percentile, print_table
from stack import ROOT, noop, wait_for

CONCURRENCY = 16
CLIENTS = 64
CAUGHT_UP_BYTES = 4 << 20  # of the spool: what comes in within a second or so
TALKATIVE = "def handler(event, context):\n    print('called with', event)\n    return None\n"
CODES = {"no-op": noop("python"), "prints a line": TALKATIVE}


def throughput(bench, name, enabled):
    with bench.stack.changed(spool__enabled=enabled):
        wrk(bench, bench.stack.port, f"/execute/{name}", CONCURRENCY, 1)
        return wrk(bench, bench.stack.port, f"/execute/{name}", CONCURRENCY, bench.options.seconds)["per_second"]


def measure_cost(bench):
    rows = []
    for number, (what, code) in enumerate(CODES.items()):
        with bench.stack.function(f"recorded-{number}", bench.options.runtimes[0], "python", code) as name:
            rounds = []
            for turn in range(bench.options.rounds):
                order = (1, 0) if turn % 2 else (0, 1)
                rounds.append({("off", "on")[enabled]: throughput(bench, name, enabled) for enabled in order})
                bench.say(f"{what}: recorded {rounds[-1]['on']:.0f}/s, not recorded {rounds[-1]['off']:.0f}/s")
        rows.append({"what": what, "rounds": rounds})
    return rows


def system(bench):
    return json.loads(bench.stack.call("GET", "/metrics/system")[1])


def stored(bench):
    return system(bench)["processes"]["collector"]["requests"]


def collector_s(bench):
    """Its processor time so far."""
    return sum(p.cpu_s for p in usage.berthd_processes(bench.stack) if p.role == "collector")


def postgres_s(bench):
    """That of a PostgreSQL since it was started."""
    return sum(p.cpu_s + p.ended_s for p in usage.tree(usage.processes(), bench.stack.pid("postgres")))


def measure_outage(bench):
    o, stack = bench.options, bench.stack
    with stack.function("outage", o.runtimes[0], "python", noop("python")) as name:
        wrk(bench, stack.port, f"/execute/{name}", CLIENTS, 1)
        wait_for("all to be stored", lambda: system(bench)["spool_bytes"] == 0)
        os.kill(stack.pid("postgres"), signal.SIGINT)
        away = wrk(bench, stack.port, f"/execute/{name}", CLIENTS, o.outage_seconds)
        before, used = stored(bench), collector_s(bench)
        load = Wrk(bench, stack.port, f"/execute/{name}", CLIENTS, max(o.outage_seconds // 2, 5))
        begin = time.monotonic()
        subprocess.run([ROOT / "scripts/stack", "up", "--dir", stack.dir], check=True, capture_output=True)
        wait_for("all to be stored", lambda: system(bench)["spool_bytes"] < CAUGHT_UP_BYTES, 2 * o.outage_seconds + 60)
        took_s = time.monotonic() - begin
        records, used = stored(bench) - before, collector_s(bench) - used + postgres_s(bench)
        beside = load.result()
    dropped = sum(role["dropped_records"] for role in system(bench)["processes"].values())
    bench.say(f"{away['requests']} invocations without PostgreSQL, caught up after {took_s:.1f} s, {dropped} dropped")
    return {"away": away, "beside": beside, "caught_up_s": took_s, "records": records, "cpu_s": used, "dropped": dropped}


# What a function called 50 million times in 90 days has left by the hour: on both runtimes, some of it failed.
HISTORY = """
insert into metrics_hour
select function_id, bucket - h * interval '1 hour', version, r.runtime, r.status, r.error_code, spool_id, r.requests, 0, 0, r.requests,
    response_us, queue_us, init_us, exec_us, overhead_us, cpu_us, cpu_requests, memory_bytes, memory_requests, request_bytes,
    response_bytes, response_us_max, queue_us_max, init_us_max, exec_us_max, cpu_us_max, memory_bytes_max,
    response_histogram, queue_histogram, init_histogram, exec_histogram
from (select m.* from metrics_hour m join functions f using (function_id) where f.name = 'history' order by requests desc limit 1) m,
    generate_series(1, 2160) h,
    (values ('docker', 200, '', 11500), ('gvisor', 200, '', 11500), ('docker', 502, 'function_error', 74),
        ('gvisor', 504, 'function_timeout', 74)) as r (runtime, status, error_code, requests);
analyze metrics_hour;
"""
JITTER = "import random, time\ndef handler(event, context):\n    time.sleep(random.expovariate(300))\n"


def measure_history(bench):
    """How long /metrics/functions takes to tell 90 days."""
    stack, times = bench.stack, []
    with stack.function("history", bench.options.runtimes[0], "python", JITTER) as name:
        wrk(bench, stack.port, f"/execute/{name}", CONCURRENCY, 5)
        wait_for("all to be stored", lambda: system(bench)["spool_bytes"] == 0)
        conninfo = f"host={stack.dir}/postgres/run dbname=berth user=berth"
        subprocess.run(["psql", "-Xqw", "-v", "ON_ERROR_STOP=1", conninfo], input=HISTORY, text=True, check=True, capture_output=True)
        now = int(time.time())
        caller = Caller(stack, "GET", f"/metrics/functions/{name}?from={now - 90 * 86400}&to={now}")
        for _ in range(20):
            status, ms, _ = caller.call()
            bench.fail_if(status != 200, f"answer with status {status} for 90 days of metrics")
            times.append(ms)
    bench.say(f"90 days of one function: p50 {percentile(times, 50):.0f} ms")
    return times


def measure(bench):
    return {"cost": measure_cost(bench), "outage": measure_outage(bench), "history": measure_history(bench)}


def report(bench, raw, targets):
    print_table(["calls per second", "recorded", "not recorded", "÷"],
                [[row["what"], *(f"{median(r[key] for r in row['rounds']):.0f}" for key in ("on", "off")), f"{ratio(row):.2f}"]
                 for row in raw["cost"]])
    for row in raw["cost"]:
        targets.least(f"recorded, {row['what']}: throughput ÷ not recorded", ratio(row), 0.95)

    outage, length_s = raw["outage"], bench.options.outage_seconds
    per_core = outage["records"] / max(outage["cpu_s"], 0.01)
    print_table(["PostgreSQL away", "calls/s meanwhile", "caught up after, s", "calls/s meanwhile", "records per core and second", "dropped"],
                [[f"{length_s} s", f"{outage['away']['per_second']:.0f}", f"{outage['caught_up_s']:.1f}",
                  f"{outage['beside']['per_second']:.0f}", f"{per_core:.0f}", outage["dropped"]]])
    bench.fail_if(outage["away"]["refused"] + outage["away"]["broken"], "calls failed while PostgreSQL was away")
    targets.least("records stored per second by one core, PostgreSQL's part included", per_core, 30000)
    targets.most("caught up, ÷ time PostgreSQL was away", outage["caught_up_s"] / length_s, 0.2)
    targets.most("records dropped", outage["dropped"], 0)

    times = raw["history"]
    print_table(["90 days of one function, 50 million invocations", "p50 ms", "p95 ms"],
                [["GET /metrics/functions/{id}", f"{percentile(times, 50):.0f}", f"{percentile(times, 95):.0f}"]])
    targets.most("90 days of metrics: p50", percentile(times, 50), 100, " ms")


def ratio(row):
    return median(r["on"] / r["off"] for r in row["rounds"])
