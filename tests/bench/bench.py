"""
The measurements of `make bench`. Every number is printed beside the baselines of the same run, because machines are noisy.
scripts/bench starts the stack and says what the options are.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import burst
import calls
import idle
import recording
import strain
import throughput
from engine import Engine
from report import Targets
from stack import LANGUAGES, ROOT, RUNTIMES, Stack, start_constant, start_host

# In this order: name, what measures (raw results, fit for JSON), what prints them and judges.
PARTS = {
    "first": (calls.measure_first, calls.report_first),
    "burst": (burst.measure, burst.report),
    "throughput": (throughput.measure, throughput.report),
    "recording": (recording.measure, recording.report),
    "sparse": (calls.measure_sparse, calls.report_sparse),
    "idle": (idle.measure_idle, idle.report_idle),
    "memory": (idle.measure_memory, idle.report_memory),
    "soak": (strain.measure_soak, strain.report_soak),
    "overload": (strain.measure_overload, strain.report_overload),
}

# How much is measured: option → usual, with --quick
AMOUNTS = {
    "seconds": (4, 1),
    "rounds": (3, 1),
    "first_calls": (40, 8),
    "burst": (50, 50),
    "sparse_calls": (50, 15),
    "rare_calls": (5, 0),
    "idle_sandboxes": (20, 20),
    "idle_seconds": (10, 5),
    "memory_sandboxes": (8, 4),
    "outage_seconds": (60, 10),
    "soak": (50000, 10000),
    "overload_seconds": (10, 4),
    "clients": (512, 512),
}


class Bench:
    """What the parts have in common. Baselines start when first asked for."""

    def __init__(self, options):
        self.options = options
        self.work = options.work
        self.stack = Stack(options.stack)
        self.engine = Engine(self.stack.setting("docker", "socket"), self.stack.instance)
        self.baselines = {}
        self.failures = []

    def constant(self):
        return self._baseline("constant", start_constant)

    def host(self, language):
        return self._baseline(f"host-{language}", start_host, language)

    def _baseline(self, name, start, *arguments):
        if name not in self.baselines:
            self.baselines[name] = start(self.stack, self.work, self.options.responder, *arguments)
        return self.baselines[name]

    def stop(self):
        for baseline in self.baselines.values():
            baseline.stop()
        self.engine.remove_bare()

    def say(self, text):
        print(f"    {text}", file=sys.stderr, flush=True)

    def fail_if(self, bad, what):
        if bad:
            self.failures.append(what if bad is True else f"{bad} {what}")


def chosen(names):
    """The type of an option that takes some of these, separated by commas."""

    def parse(text):
        wanted = text.split(",")
        if not set(wanted) <= set(names):
            raise argparse.ArgumentTypeError(f"takes some of {','.join(names)}")
        return [name for name in names if name in wanted]

    return parse


def parse_options():
    parser = argparse.ArgumentParser(usage="see scripts/bench --help", add_help=False, allow_abbrev=False)
    for name in ("stack", "responder"):
        parser.add_argument(f"--{name}")
    for name in ("work", "json", "plot"):
        parser.add_argument(f"--{name}", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")  # only the options
    parser.add_argument("--only", type=chosen(PARTS), default=list(PARTS))
    parser.add_argument("--languages", type=chosen(LANGUAGES), default=list(LANGUAGES))
    parser.add_argument("--runtimes", type=chosen(RUNTIMES), default=list(RUNTIMES))
    parser.add_argument("--concurrency", type=lambda text: [int(n) for n in text.split(",")], default=[1, 16, 64, 256])
    parser.add_argument("--quick", action="store_true")
    for name in AMOUNTS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    options = parser.parse_args()
    for name, amounts in AMOUNTS.items():
        if getattr(options, name) is None:
            setattr(options, name, amounts[options.quick])
    return options


def machine():
    return {"cores": os.cpu_count(), "kernel": os.uname().release, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def write_results(options, raw, targets):
    plain = {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(options).items()}
    text = json.dumps({"machine": machine(), "options": plain, "parts": raw, "targets": targets.rows}, indent=1)
    options.json.write_text(text + "\n")


def main():
    options = parse_options()
    if options.check:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the baselines are stopped
    bench, targets, raw = Bench(options), Targets(), {}
    try:
        for name in options.only:
            bench.say(f"{name}:")
            measure, report = PARTS[name]
            raw[name] = measure(bench)
            write_results(options, raw, targets)  # so that a later part's failure does not cost them
    finally:
        bench.stop()
    for name in options.only:
        PARTS[name][1](bench, raw[name], targets)
    targets.print()
    write_results(options, raw, targets)
    print(f"\nraw results: {options.json}")
    if "throughput" in raw:
        subprocess.run([sys.executable, ROOT / "tests/bench/plot.py", options.json, options.plot], check=True)
    if bench.failures:
        sys.exit("failed: " + "; ".join(bench.failures))


if __name__ == "__main__":
    main()
