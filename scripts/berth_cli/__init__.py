"""The berth command: a client of Berth's public HTTP API."""

VERSION = ""  # set by scripts/berth


class Failure(Exception):
    """What a person has to be told, in one line."""
