"""The measurements of `make bench`. Every number is printed beside the baselines of the same run, because machines are noisy.

(a) constant: nginx → FastCGI process that answers with a constant
(b) host:     nginx → FastCGI process → the language's agent on the host, without a sandbox
(c) docker:   nginx → Berth → the same agent in a warm sandbox of Docker
(d) gvisor:   the same in one of gVisor

All stand behind the same nginx configuration, TLS included, and get the same requests from wrk. They are measured in turn,
round after round; medians are printed.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT_PROCESSES = 8  # of the baseline (b): where its throughput is best on two cores
FIRST_CALLS = 20
CONCURRENCIES = (1, 16, 64)
RUNTIMES = ("docker", "gvisor")
BODY = json.dumps({"input": {"name": "x"}})

LANGUAGES = {
    "python": {
        "agent": ["/usr/bin/python3", "-I", "-B", "-X", "utf8", str(ROOT / "runtimes/python/agent.py")],
        "file": "main.py",
        "code": "def handler(event, context):\n    return None\n",
    },
    "javascript": {
        "agent": ["node", str(ROOT / "runtimes/javascript/agent.js")],
        "file": "main.js",
        "code": "exports.handler = async () => null;\n",
    },
}

WRK_SCRIPT = """
wrk.method = "POST"
wrk.body = '%s'
wrk.headers["Content-Type"] = "application/json"
function done(summary, latency, requests)
    io.write(string.format('RESULT {"requests":%%d,"duration_us":%%d,"p50_us":%%d,"p90_us":%%d,"p99_us":%%d,"max_us":%%d,' ..
        '"failed":%%d}\\n', summary.requests, summary.duration, latency:percentile(50), latency:percentile(90),
        latency:percentile(99), latency.max, summary.errors.status + summary.errors.connect + summary.errors.read +
        summary.errors.write + summary.errors.timeout))
end
""" % BODY


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


class Stack:
    """Berth as it runs, and what its nginx is configured with."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        options = dict(line.split("=", 1) for line in (self.dir / "options").read_text().splitlines() if "=" in line)
        self.port = int(options["https-port"])
        self.berthd = pathlib.Path(options["prefix"]) / "sbin/berthd"
        self.settings = subprocess.run([self.berthd, f"--config={self.dir}/berth.conf", "--dump-config"], check=True,
                                       capture_output=True, text=True).stdout
        self.context = ssl.create_default_context(cafile=str(self.dir / "tls/cert.pem"))

    def connect(self):
        return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=self.context)

    def call(self, method, path, body=None, connection=None):
        c = connection or self.connect()
        c.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        response = c.getresponse()
        return response, response.read()

    def deploy(self, name, language, runtime):
        function = {"name": name, "language": language, "runtime": runtime, "code": LANGUAGES[language]["code"]}
        response, body = self.call("POST", "/functions", function)
        if response.status != 201:
            sys.exit(f"deploy {name}: {response.status} {body!r}")

    def reload(self, setting):
        subprocess.run([ROOT / "scripts/stack", "reload", "--dir", self.dir, "--set", setting], check=True, capture_output=True)


class Baseline:
    """nginx as Berth has it, in front of tests/bench/responder."""

    def __init__(self, stack, work, name, command):
        self.dir = work / name
        run = self.dir / "run"
        for sub in ("log", "nginx/tmp", "run"):
            (self.dir / sub).mkdir(parents=True)
        shutil.copytree(stack.dir / "tls", self.dir / "tls")
        self.dir.chmod(0o755)
        self.port = free_port()
        settings = re.sub(r"^run_dir = .*$", f"run_dir = {run}", stack.settings, flags=re.M)
        settings = re.sub(r"^lanes = .*$", "lanes = 1", settings, flags=re.M)
        conf = subprocess.run([ROOT / "scripts/render-nginx", "--dir", self.dir, "--https-port", str(self.port), "--http-port",
                               str(free_port())], input=settings, check=True, capture_output=True, text=True).stdout
        (self.dir / "nginx/berth.conf").write_text(conf)
        with open(self.dir / "log/all.log", "wb") as log:
            self.processes = [
                subprocess.Popen([str(part).replace("SOCKET", str(run / "invoke-0.sock")) for part in command], stdout=log,
                                 stderr=log, env=dict(os.environ, BERTH_FUNCTION_DIR=str(self.dir / "function"))),
                subprocess.Popen(["nginx", "-e", "stderr", "-p", self.dir / "nginx", "-c", self.dir / "nginx/berth.conf", "-g",
                                  "daemon off;"], stdout=log, stderr=log),
            ]
        wait_for_port(self.port)

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(10)


def start_baselines(stack, work, responder):
    baselines = {"constant": Baseline(stack, work, "constant", [responder, "constant", "SOCKET", AGENT_PROCESSES])}
    for language, l in LANGUAGES.items():
        function = work / f"host-{language}" / "function"
        function.mkdir(parents=True)
        (function / l["file"]).write_text(l["code"])
        baselines[f"host-{language}"] = Baseline(stack, work, f"host-{language}",
                                                 [responder, "host", "SOCKET", AGENT_PROCESSES, *l["agent"]])
    return baselines


def wrk(port, path, concurrency, seconds, script):
    out = subprocess.run(["wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "-s", script, f"https://127.0.0.1:{port}{path}"],
                         check=True, capture_output=True, text=True).stdout
    result = json.loads(re.search(r"^RESULT (.*)$", out, re.M).group(1))
    result["per_second"] = result["requests"] / (result["duration_us"] / 1e6)
    return result


def measure_throughput(stack, baselines, arguments, script):
    targets = {"constant": (baselines["constant"].port, "/execute/x")}
    for language in LANGUAGES:
        targets[f"host-{language}"] = (baselines[f"host-{language}"].port, "/execute/x")
        for runtime in RUNTIMES:
            targets[f"{runtime}-{language}"] = (stack.port, f"/execute/bench-{runtime}-{language}")
    results = {}
    for concurrency in CONCURRENCIES:
        for name, (port, path) in targets.items():
            wrk(port, path, concurrency, 1, script)  # sandboxes and processes warm up
        for round_number in range(arguments.rounds):
            for name, (port, path) in targets.items():
                r = wrk(port, path, concurrency, arguments.seconds, script)
                results.setdefault((name, concurrency), []).append(r)
                print(f"    {name:17} concurrency {concurrency:3}  round {round_number + 1}: {r['per_second']:7.0f}/s  "
                      f"p50 {r['p50_us'] / 1000:.2f} ms  p99 {r['p99_us'] / 1000:.2f} ms", flush=True)
    return results


def timed_call(stack, name):
    connection = stack.connect()
    connection.connect()
    start = time.perf_counter()
    response, body = stack.call("POST", f"/execute/{name}", {"input": 1}, connection)
    took_ms = (time.perf_counter() - start) * 1000
    if response.status != 200:
        sys.exit(f"{name}: {response.status} {body!r}")
    return response.getheader("Berth-Start"), took_ms


def wait_for_pool(stack, condition):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        _, body = stack.call("GET", "/readyz")
        if condition(json.loads(body)["pool"]):
            return
        time.sleep(0.1)
    sys.exit("the pool does not settle")


def measure_first_calls(stack, runtime, language):
    """The first call of functions never called before, on a prewarmed sandbox: the one that the deployment tried was evicted."""
    names = [f"first-{runtime}-{language}-{i}" for i in range(FIRST_CALLS)]
    for name in names:
        stack.deploy(name, language, runtime)
    wait_for_pool(stack, lambda p: p["sandboxes"]["idle"] == p["sandboxes"]["dying"] == 0)
    times = []
    for name in names:
        wait_for_pool(stack, lambda p: all(s["spare"] >= 2 for s in p["shapes"]) and p["sandboxes"]["dying"] == 0)
        kind, took_ms = timed_call(stack, name)
        if kind == "prewarmed":
            times.append(took_ms)
    for name in names:
        stack.call("DELETE", f"/functions/{name}")
    if len(times) < FIRST_CALLS / 2:
        sys.exit(f"only {len(times)} of {FIRST_CALLS} first calls met a prewarmed sandbox")
    return times


def median(results, field):
    return statistics.median(r[field] for r in results)


def print_table(results, first_calls):
    print("\n| | concurrency | requests/s | p50 ms | p99 ms | throughput ÷ (b) | p50 ÷ (b) |\n|---|---|---|---|---|---|---|")
    for (name, concurrency), rounds in results.items():
        language = name.split("-")[-1]
        base = results.get((f"host-{language}", concurrency))
        speed, p50 = median(rounds, "per_second"), median(rounds, "p50_us")
        ratio = f"{speed / median(base, 'per_second'):.2f} | {p50 / median(base, 'p50_us'):.2f}" if base else "|"
        label = {"constant": "(a)", "host": "(b)", "docker": "(c)", "gvisor": "(d)"}[name.split("-")[0]]
        print(f"| {label} {name} | {concurrency} | {speed:.0f} | {p50 / 1000:.2f} | {median(rounds, 'p99_us') / 1000:.2f} | {ratio} |")
    print()
    for name, times in first_calls.items():
        print(f"first call of a new function on a prewarmed sandbox, {name}: median {statistics.median(times):.1f} ms, "
              f"worst of {len(times)} {max(times):.1f} ms")
    for concurrency in CONCURRENCIES:
        for language in LANGUAGES:
            p50 = {r: median(results[(f"{r}-{language}", concurrency)], "p50_us") for r in RUNTIMES}
            print(f"p50 of gvisor ÷ docker, {language}, concurrency {concurrency}: {p50['gvisor'] / p50['docker']:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("stack", str), ("work", pathlib.Path), ("responder", str), ("seconds", int), ("rounds", int), ("json", str)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    arguments = parser.parse_args()
    stack = Stack(arguments.stack)
    script = arguments.work / "post.lua"
    script.write_text(WRK_SCRIPT)

    kinds = [(runtime, language) for runtime in RUNTIMES for language in LANGUAGES]
    first_calls = {f"{runtime} {language}": measure_first_calls(stack, runtime, language) for runtime, language in kinds}
    stack.reload("pool.idle_timeout_ms=")
    for runtime, language in kinds:
        stack.deploy(f"bench-{runtime}-{language}", language, runtime)
    baselines = start_baselines(stack, arguments.work, arguments.responder)
    try:
        results = measure_throughput(stack, baselines, arguments, script)
    finally:
        for baseline in baselines.values():
            baseline.stop()

    print_table(results, first_calls)
    failed = sum(r["failed"] for rounds in results.values() for r in rounds)
    raw = {"first_calls_ms": first_calls, "cores": os.cpu_count(),
           "rounds": [{"name": n, "concurrency": c, "rounds": r} for (n, c), r in results.items()]}
    pathlib.Path(arguments.json).write_text(json.dumps(raw, indent=1) + "\n")
    print(f"raw results: {arguments.json}")
    if failed:
        sys.exit(f"{failed} requests failed")


if __name__ == "__main__":
    main()
