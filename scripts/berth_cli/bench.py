"""
Deploys temporary copies of a function on each runtime, calls them in turn, and compares them: cold, prewarmed and warm starts, latency
and throughput by concurrency, processor time and memory.

FUNCTION is the name or id of a deployed function, which is not changed, or a folder (written with a slash: ./x). The folder holds main.py
or main.js, or folders that do; function.json in it may contain {"settings": {…}, "input": …}.
"""

import argparse
import datetime
import json
import pathlib
import shlex
import sys

import berth_cli
from berth_cli import Failure, Misuse, machine, report, table, workloads
from berth_cli.api import Api
from berth_cli.copies import Copies
from berth_cli.measure import measure_client, measure_subject

EPILOG = """
Each round measures every runtime once, in turn. On each runtime one copy keeps its sandbox (warm calls); another gets a new sandbox for
each call (prewarmed while there are spares, then cold). The answers say which it was. The copies are deleted at the end, also after
Ctrl-C; the results up to then are shown.

  berth bench hello
  berth bench ./resize --concurrency 1,16 --input '{"width": 200}' --report resize.html
  berth bench --all --report report.html --json report.json
"""

# Beside the modules, in the source tree as where it is installed.
WORKLOADS = pathlib.Path(__file__).resolve().parents[1] / "workloads"


def whole(least, most):
    def parse(text):
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not from {least} to {most}")
        return value

    parse.__name__ = "whole number"
    return parse


def seconds(text):
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"'{text}' is not from 0.1 to 3600")
    return value


def list_of(parse, what):
    def parse_list(text):
        values = [parse(part) for part in text.split(",")]
        if len(set(values)) != len(values) or "" in values:
            raise argparse.ArgumentTypeError(f"'{text}' is no list of different {what}")
        return values

    parse_list.__name__ = f"list of {what}"
    return parse_list


def json_value(text):
    try:
        return json.loads(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"'{text}' is no JSON: {e}") from None


def arguments(parser):
    add = parser.add_argument
    add("function", nargs="?", metavar="FUNCTION", help="name or id of a function, or a folder")
    add("--all", action="store_true", help="all workloads that come with Berth, instead of FUNCTION")
    add("--runtimes", type=list_of(str, "runtimes"), metavar="A,B", help="runtimes to compare (default: all that Berth has)")
    add("--concurrency", type=list_of(whole(1, 512), "numbers"), default=[1, 8, 32], metavar="N,…",
        help="numbers of concurrent calls (default: 1,8,32)")
    add("--duration", type=seconds, default=5.0, metavar="S", help="seconds of each measurement of warm calls (default: 5)")
    add("--rounds", type=whole(1, 100), default=3, metavar="N", help="how often each measurement is repeated (default: 3)")
    add("--cold", type=whole(0, 1000), default=6, metavar="N",
        help="cold starts on each runtime, and as many prewarmed ones, in all rounds together (default: 6)")
    add("--input", type=json_value, metavar="JSON", help="input of the function (default: null, or that in function.json)")
    add("--report", metavar="FILE", help="write an HTML page")
    add("--json", metavar="FILE", help="write all figures as JSON")


def subjects(api, options):
    if options.all == (options.function is not None):
        raise Misuse("either FUNCTION or --all is needed (see --help)")
    if options.all:
        return workloads.all_of_them(WORKLOADS)
    if workloads.is_path(options.function):
        return workloads.from_path(options.function)
    return workloads.deployed(api, options.function)


def all_runtimes(api):
    return api.get("/limits")["function"]["runtime"]["values"]


def check_runtimes(api, names):
    pool = api.get("/readyz").get("pool") or {}
    for name in names:
        runtime = pool.get("runtimes", {}).get(name)
        if runtime is None:
            raise Failure(f"Berth has no runtime '{name}'")
        if not runtime["available"]:
            raise Failure(f"{name} is not available: {runtime['detail']}")


def check_writable(*files):
    """Before the work, not after it."""
    for file in filter(None, files):
        try:
            open(file, "a").close()
        except OSError as e:
            raise Failure(f"cannot write {file}: {e.strerror}") from None


class Progress:
    """On stderr: one line that changes on a terminal, lines elsewhere."""

    def __init__(self):
        self.changes = sys.stderr.isatty()

    def __call__(self, words):
        words = table.printable(words)
        print(f"\r\033[K{words}" if self.changes else words, end="" if self.changes else "\n", file=sys.stderr, flush=True)

    def done(self):
        if self.changes:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def begin(api, options, found):
    """Everything that is in the JSON file, but for the figures of the subjects."""
    return {
        "berth": berth_cli.VERSION,
        "command": shlex.join(["berth", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.describe(api),
        "options": {name: getattr(options, name) for name in ("runtimes", "concurrency", "duration", "rounds", "cold")},
        "client": measure_client(api, options),
        "subjects": [],
        "missing": [subject.name for subject in found],
    }


def measure(api, options, found, result, say):
    for subject in found:
        with Copies(api) as copies:
            result["subjects"].append(measure_subject(api, copies, subject, options, say))
        result["missing"].remove(subject.name)
        say.done()
        print(table.text(result["subjects"][-1]) + "\n", flush=True)


def tell(result, options):
    if overview := table.overview(result):
        print(overview)
    client = next(iter(result["client"].values()))
    print(f"GET /healthz over the same connections: {client['latency_ms']['p50']:.2f} ms, of which the client's processor time is "
          f"{client['cpu_us'] / 1000:.2f} ms")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    if options.report:
        pathlib.Path(options.report).write_text(report.page(result))
        print(f"The report is in {options.report}")


def run(options):
    options.concurrency.sort()
    api = Api(options.url, options.ca)
    check_writable(options.report, options.json)
    found = subjects(api, options)
    options.runtimes = options.runtimes or all_runtimes(api)
    check_runtimes(api, options.runtimes)
    result = begin(api, options, found)
    say = Progress()
    try:
        measure(api, options, found, result, say)
    finally:
        say.done()
        if result["subjects"]:  # also when it was interrupted: what is measured took its time
            tell(result, options)
