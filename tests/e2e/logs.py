"""What the stack's logs say of the time of one test, for the report of one that has failed."""

import collections
import json
import time

FLUSH_S = 1.1  # nginx writes access.log once a second
LINES = 60  # the last ones of each log
ALIKE = 3  # the last ones of requests that differ in nothing but time, as a test sends them that waits for something


class Watch:
    """From when it is made."""

    def __init__(self, directory):
        self.directory = directory
        self.sizes = {path: path.stat().st_size for path in directory.glob("*.log")}

    def sections(self):
        """(title, text) of each log that has grown."""
        time.sleep(FLUSH_S)
        found = []
        for path in sorted(self.directory.glob("*.log")):
            lines = self.since(path)
            if lines:
                left_out = f", the last {LINES} of {len(lines)} lines" if len(lines) > LINES else ""
                found.append((f"{path.name} during this test{left_out}", "\n".join(lines[-LINES:])))
        return found

    def since(self, path):
        size = self.sizes.get(path, 0)
        with open(path, "rb") as log:
            if path.stat().st_size >= size:  # else it is a new one
                log.seek(size)
            lines = log.read().decode(errors="replace").splitlines()
        if path.name == "access.log":
            return few_alike([request(line) for line in lines])
        return [line for line in lines if "level=debug" not in line]


def request(line):
    """A request in few words, and what it has in common with others: a line has all of nginx's fields."""
    try:
        r = json.loads(line)
        kind = f'{r["method"]} {r["uri"]} {r["status"]}'
        return kind, f'{r["time"][11:19]} {kind} {r["request_s"]} s, request {r["request_id"]}'
    except (ValueError, KeyError, TypeError):
        return line, line


def few_alike(requests):
    """The last ones of each kind, in their order; the first of them says how many are left out."""
    total, seen, lines = collections.Counter(kind for kind, _ in requests), collections.Counter(), []
    for kind, text in requests:
        seen[kind] += 1
        left_out = total[kind] - ALIKE
        if seen[kind] > left_out:
            lines.append(f"{text}, after {left_out} like it" if 0 < left_out == seen[kind] - 1 else text)
    return lines
