"""What the stack's logs say of the time of one test, for the report of one that has failed."""

import json
import time

FLUSH_S = 1.1  # nginx writes access.log once a second
LINES = 60  # the last ones of each log


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
            return [request(line) for line in lines]
        return [line for line in lines if "level=debug" not in line]


def request(line):
    """A request in few words: it has all of nginx's fields."""
    try:
        r = json.loads(line)
        return f'{r["time"][11:19]} {r["method"]} {r["uri"]} {r["status"]} {r["request_s"]} s, request {r["request_id"]}'
    except (ValueError, KeyError, TypeError):
        return line
