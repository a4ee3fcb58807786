"""The entries of a function's log, as the host makes them of the two streams and the marks of levels (runtimes/protocol.md)."""

import itertools
import re

from conftest import SWITCH

LEVELS = ["trace", "debug", "info", "warning", "error", "critical"]


def entries(agent):
    """All that the agent has written, as [(level, text)]."""
    found = []
    parts = [text.split(SWITCH) for text in agent.printed.values()]
    for pair in itertools.zip_longest(*parts, fillvalue=b""):
        for of_stream, part in zip(("info", "error"), pair):
            pieces = re.split(rb"\xff\0berth:level([0-6])\0\xff", part)
            for level, text in zip([b"0", *pieces[1::2]], pieces[::2]):
                text = text.decode()
                if level == b"0":
                    found += [(of_stream, line) for line in text.splitlines()]
                else:
                    found.append((LEVELS[int(level) - 1], text.removesuffix("\n")))
    return found
