"""A quiet function on the same node and runtime, called all the time: it must not notice what goes on beside it."""

import statistics
import threading
import time
from contextlib import contextmanager

import requests

CODE = """
def handler(event, context):
    return event
"""
PAUSE_S = 0.015
CALLS_BEFORE = 8
CALLS_DURING = 8  # at least, however short the attack is
# The bound for the median: a sandbox without protection would wait for whole time slices, or for the end of the attack.
FLOOR_S = 0.050
FACTOR = 5


class Neighbour:
    def __init__(self, api, function):
        self.url = f"{api.url}/execute/{function['id']}"
        self.ca = api.ca

    @contextmanager
    def watched(self):
        """Called steadily before and while the block runs; afterwards .failed and .latencies say how it went."""
        self.calls = []  # (start, end, success)
        self.stopping = threading.Event()
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        self.wait_for(0, CALLS_BEFORE)
        self.started = time.monotonic()
        try:
            yield self
            self.wait_for(self.started, CALLS_DURING)
        finally:
            self.stopping.set()
            thread.join(60)

    def run(self):
        with requests.Session() as session:  # a connection that stays: TLS is not what is measured
            session.trust_env = False
            session.verify = self.ca
            while not self.stopping.wait(PAUSE_S):
                start = time.monotonic()
                try:
                    answer = session.post(self.url, json={"input": "quiet"}, timeout=30)
                    success = answer.status_code == 200 and answer.json() == {"output": "quiet"}
                except requests.RequestException:
                    success = False
                self.calls.append((start, time.monotonic(), success))

    def wait_for(self, since, count):
        deadline = time.monotonic() + 30
        while sum(start >= since for start, _, _ in self.calls) < count:
            assert time.monotonic() < deadline, f"{len(self.calls)} calls of the neighbour in 30 s"
            time.sleep(PAUSE_S)

    def check(self):
        """(median before, median during); fails when calls failed or took too long."""
        before = statistics.median(end - start for start, end, _ in self.calls if end < self.started)
        during = statistics.median(end - start for start, end, _ in self.calls if end >= self.started)
        assert all(success for _, _, success in self.calls), "a call of the neighbour failed"
        assert during < max(FLOOR_S, FACTOR * before), f"median {during * 1000:.1f} ms, before {before * 1000:.1f} ms"
        return before, during
