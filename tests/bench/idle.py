"""Parts "idle" and "memory": what costs something although nobody asks for it."""

import concurrent.futures
import contextlib
import time

import usage
from load import Caller, wrk
from report import median, print_table
from stack import RUNTIMES, sleeper, wait_for

PSS_WORKERS = 64


@contextlib.contextmanager
def frozen_sandboxes(bench, runtime, language, count):
    """The cgroups of at least so many idle, frozen sandboxes of one function, spares of its kind included."""
    stack, name, code = bench.stack, f"idle-{runtime}-{language}", sleeper(language, 1000)
    with stack.function(name, runtime, language, code, max_concurrency=count):

        def call_all():
            with concurrent.futures.ThreadPoolExecutor(count) as threads:
                list(threads.map(lambda _: Caller(stack, "POST", f"/execute/{name}").call(), range(count)))
            return stack.pool()["sandboxes"]["idle"] + stack.pool()["sandboxes"]["leased"] >= count

        wait_for(f"{count} sandboxes", call_all, 120)
        found = []

        def all_frozen():
            found[:] = usage.cgroups_of(bench.engine.sandboxes(RUNTIMES[runtime], language))
            with contextlib.suppress(FileNotFoundError):
                return len(found) >= count and all(cgroup.is_frozen() for cgroup in found)

        wait_for("sandboxes to be frozen", all_frozen, 30)
        yield found


def wait_for_workers_to_go(bench):
    """Those that started because of many requests end one after the other."""
    seen = []

    def settled():
        time.sleep(1)
        seen.append(len(usage.berthd_processes(bench.stack)))
        return len(seen) > 3 and seen[-1] == seen[-4]

    wait_for("the number of workers to settle", settled, 180)


def measure_idle(bench):
    o = bench.options
    rows = []
    for runtime in o.runtimes:
        with frozen_sandboxes(bench, runtime, "python", o.idle_sandboxes) as cgroups:
            wait_for_workers_to_go(bench)
            before, begin = usage.stack_accounts(bench.stack, cgroups), time.monotonic()
            time.sleep(o.idle_seconds)
            used, seconds = usage.used(before, usage.stack_accounts(bench.stack, cgroups)), time.monotonic() - begin
        percent = {role: s / seconds * 100 for role, s in used.items()}
        rows.append({"runtime": runtime, "sandboxes": len(cgroups), "percent_of_core": percent})
        bench.say(f"{len(cgroups)} idle sandboxes, {runtime}: {idle_percent(rows[-1]):.2f} % of one core")
    return rows


IDLE_ROLES = ("sandboxes", "poolmgr", "invoke", "deploy", "query", "health", "control", "follow", "collector", "warden", "master")


def idle_percent(row):
    """Of the sandboxes and berthd; nginx, PostgreSQL and Docker Engine go on without sandboxes, too."""
    return sum(row["percent_of_core"].get(role, 0) for role in IDLE_ROLES)


def report_idle(bench, rows, targets):
    print_table(["idle sandboxes, % of one core", "number", *IDLE_ROLES, "all these", "PostgreSQL", "Docker Engine"],
                [[r["runtime"], r["sandboxes"], *(f"{r['percent_of_core'].get(role, 0):.2f}" for role in IDLE_ROLES),
                  f"{idle_percent(r):.2f}", *(f"{r['percent_of_core'].get(role, 0):.2f}" for role in ("postgres", "docker"))]
                 for r in rows])
    for r in rows:
        targets.most(f"{r['runtime']}, {r['sandboxes']} idle sandboxes: of one core", idle_percent(r), 1, " %")


def measure_memory(bench):
    o = bench.options
    rows = []
    for runtime in o.runtimes:
        for language in o.languages:
            with frozen_sandboxes(bench, runtime, language, o.memory_sandboxes) as cgroups:
                mb = [cgroup.memory_mb() for cgroup in cgroups]
            rows.append({"runtime": runtime, "language": language, "mb": mb})
            bench.say(f"memory of an idle sandbox, {runtime} {language}: {median(mb):.1f} MB")
    return {"sandboxes": rows, "berthd_kb": measure_berthd(bench)}


def measure_berthd(bench):
    """PSS of each process by role, with many invoke workers that have all served and are idle again."""
    stack = bench.stack

    def workers():
        return [p for p in usage.berthd_processes(stack) if p.role == "invoke"]

    with stack.changed(invoke__min_spare=PSS_WORKERS, invoke__max_workers=PSS_WORKERS):
        wait_for(f"{PSS_WORKERS} workers", lambda: len(workers()) == PSS_WORKERS)
        with stack.function("memory", bench.options.runtimes[0], "python", sleeper("python", 20)):
            wrk(bench, stack.port, "/execute/memory", PSS_WORKERS, 2)
        time.sleep(1)
        kb = {}
        for p in usage.berthd_processes(stack):
            kb.setdefault(p.role, []).append(p.pss_kb())
    return kb


def report_memory(bench, raw, targets):
    print_table(["memory of an idle sandbox", "MB", "least", "most"],
                [[f"{r['runtime']} {r['language']}", f"{median(r['mb']):.1f}", f"{min(r['mb']):.1f}", f"{max(r['mb']):.1f}"]
                 for r in raw["sandboxes"]])
    kb = raw["berthd_kb"]
    print_table(["PSS of berthd", "processes", "MB"],
                [[role, len(list_), f"{sum(list_) / 1024:.1f}"] for role, list_ in kb.items()])
    all_mb = sum(sum(list_) for list_ in kb.values()) / 1024
    targets.most(f"berthd with {len(kb['invoke'])} idle invoke workers: PSS", all_mb, 60, " MB")
