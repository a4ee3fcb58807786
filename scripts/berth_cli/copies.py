"""Functions that are deployed for a while, and deleted whatever happens."""

import contextlib
import secrets
import signal
import sys

from berth_cli import Failure
from berth_cli.api import quoted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def uninterrupted():
    """Signals wait: what is being deployed is known, and what is to be deleted is."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


class Copies:
    def __init__(self, api):
        self.api, self.there = api, []
        self.prefix = f"bench-{secrets.token_hex(4)}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete_all()

    def deploy(self, body):
        """The function as the API tells it."""
        name = f"{self.prefix}-{len(self.there)}"
        with uninterrupted():
            self.there.append(name)  # also when the answer is lost, it may be there
            return self.api.post("/functions", body | {"name": name})

    def delete_all(self):
        with uninterrupted():
            while self.there:
                name = self.there.pop()
                try:
                    status, _, answer = self.api.call("DELETE", f"/functions/{quoted(name)}")
                except Failure as failure:
                    status, answer = 0, str(failure)
                if status not in (204, 404):
                    print(f"berth: {name} could not be deleted: {status} {answer}", file=sys.stderr)
