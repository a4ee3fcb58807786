"""Requests: wrk for load, and calls at a given pace from here."""

import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import time

BODY = json.dumps({"input": {"name": "x"}})

SCRIPT = """
wrk.method = "POST"
wrk.body = '%s'
wrk.headers["Content-Type"] = "application/json"

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('RESULT {"requests":%%d,"duration_us":%%d,"p50_us":%%d,"p90_us":%%d,"p99_us":%%d,"max_us":%%d,' ..
        '"refused":%%d,"broken":%%d}\\n', summary.requests, summary.duration, latency:percentile(50), latency:percentile(90),
        latency:percentile(99), latency.max, e.status, e.connect + e.read + e.write + e.timeout))
end
""" % BODY


class Wrk:
    """A run of wrk that has begun."""

    def __init__(self, bench, port, path, concurrency, seconds):
        script = bench.work / "post.lua"
        if not script.exists():
            script.write_text(SCRIPT)
        self.process = subprocess.Popen(
            ["wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "--timeout", "60s", "-s", script,
             f"https://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE, text=True)

    def result(self):
        """Waits for its end. refused: answers other than 2xx; broken: no answer; per_second: of good answers."""
        out, _ = self.process.communicate()
        found = re.search(r"^RESULT (.*)$", out, re.M)
        if not found:
            sys.exit(f"wrk: {out}")
        result = json.loads(found.group(1))
        result["per_second"] = (result["requests"] - result["refused"]) / (result["duration_us"] / 1e6)
        return result


def wrk(*arguments):
    return Wrk(*arguments).result()


class Caller:
    """Calls over one connection that is kept."""

    def __init__(self, stack, method, path, port=None):
        self.stack, self.method, self.path, self.port = stack, method, path, port
        self.connection = stack.connect(port)

    def call(self):
        """(status, ms, Berth-Start); status 0: no answer."""
        begin = time.perf_counter()
        status = kind = None
        try:
            self.connection.request(self.method, self.path, BODY if self.method == "POST" else None,
                                    {"Content-Type": "application/json"})
            response = self.connection.getresponse()
            response.read()
            status, kind = response.status, response.getheader("Berth-Start")
        except (OSError, http.client.HTTPException):
            with contextlib.suppress(OSError):
                self.connection.close()
                self.connection = self.stack.connect(self.port)
        return status or 0, (time.perf_counter() - begin) * 1000, kind


class Probe:
    """
    Calls at a steady pace until stopped, from a process that goes before what makes the load on the same machine: what is
    measured is how long Berth takes, not how long a client waits for a processor. Where the kernel gives each session an equal
    share (sched(7), autogroup), that takes a session of its own.
    """

    def __init__(self, stack, method, path, interval_s):
        fork = multiprocessing.get_context("fork")
        self.stopping, (self.results, there) = fork.Event(), fork.Pipe(duplex=False)
        self.process = fork.Process(target=self._run, args=(stack, method, path, interval_s, there), daemon=True)
        self.process.start()
        there.close()  # or stop() would wait for a process that has died

    def _run(self, stack, method, path, interval_s, results):
        os.setsid()
        os.setpriority(os.PRIO_PROCESS, 0, -15)
        with contextlib.suppress(FileNotFoundError):
            pathlib.Path("/proc/self/autogroup").write_text("-15")
        caller, calls, due = Caller(stack, method, path), [], time.monotonic()
        while not self.stopping.wait(max(0, due - time.monotonic())):
            calls.append(caller.call()[:2])
            due = max(due + interval_s, time.monotonic())
        results.send(calls)

    def stop(self):
        """[(status, ms)]"""
        self.stopping.set()
        calls = self.results.recv()
        self.process.join()
        return calls
