"""What a row of the tables in python.py and javascript.py says: how a small handler behaves on AWS Lambda, and how on Berth."""

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Row:
    """The first three members make a row of runtimes/lambda.md; tests/agents/test_lambda.py checks the others."""

    behaviour: str
    on_lambda: str
    on_berth: str = "the same"

    code: str | dict  # of the handler's file, or of several files by name
    event: object = None
    calls: int = 1  # what follows is that of the last one
    environment: dict = field(default_factory=dict)
    handler: str = "main.handler"
    response_bytes: int = 6 << 20

    # How it ends: with an answer, unless one of the others is given.
    answer: object = None
    error: tuple | None = None  # (type, part of the message)
    not_loaded: tuple | None = None  # the same, of an error while loading
    exit_code: int | None = None

    # Its log, all of it, as (level, part of the text). Of an error it is looked at only where it is given.
    log: list | None = None
