"""The table of subcommands."""

import argparse
import os
import signal
import sys

import berth_cli
from berth_cli import Failure, bench, table

COMMANDS = {
    # name → module, what it does
    "bench": (bench, "compare runtimes, running a function or the workloads that come with Berth on each"),
}


def parser():
    top = argparse.ArgumentParser(prog="berth", description="A client of Berth, the serverless function platform.")
    top.add_argument("--version", action="version", version=f"berth {berth_cli.VERSION}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, does) in COMMANDS.items():
        command = commands.add_parser(name, help=does, description=module.__doc__, epilog=module.EPILOG,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
        command.add_argument("--url", default=os.environ.get("BERTH_URL") or "https://localhost:8443",
                             help="address of Berth (default: $BERTH_URL, or https://localhost:8443)")
        command.add_argument("--ca", default=os.environ.get("BERTH_CA"), metavar="FILE",
                             help="certificate to trust (default: $BERTH_CA, or the system's)")
        module.arguments(command)
    return top


def raise_interrupt(_signal, _frame):
    raise KeyboardInterrupt


def main(arguments=None):
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, raise_interrupt)
    try:
        COMMANDS[options.command][0].run(options)
    except Failure as failure:
        print(f"berth: {table.printable(str(failure))}", file=sys.stderr)
        return failure.exit_code
    except KeyboardInterrupt:
        print("berth: interrupted", file=sys.stderr)
        return 130
    return 0
