"""The berth command: a client of Berth's public HTTP API."""

VERSION = ""  # set by scripts/berth


class Failure(Exception):
    """What a person has to be told, in one line."""

    exit_code = 1


class Misuse(Failure):
    """The command line is wrong, in a way that argparse cannot tell."""

    exit_code = 2
