"""What is measured: Berth as it runs, and the baselines, which stand behind the same nginx configuration, TLS included."""

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
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNTIMES = {"docker": "runc", "gvisor": "berth-runsc"}  # and what Docker Engine calls each
AGENT_PROCESSES = 8  # of the baseline (b): where its throughput is best on two cores

LANGUAGES = {
    "python": {
        "agent": ["/usr/bin/python3", "-I", "-B", "-X", "utf8", str(ROOT / "runtimes/python/agent.py")],
        "file": "main.py",
        "noop": "def handler(event, context):\n    return None\n",
        "sleep": "import time\ndef handler(event, context):\n    time.sleep(%d / 1000)\n",
    },
    "javascript": {
        "agent": ["node", str(ROOT / "runtimes/javascript/agent.js")],
        "file": "main.js",
        "noop": "exports.handler = async () => null;\n",
        "sleep": "exports.handler = () => new Promise((done) => setTimeout(done, %d));\n",
    },
}


def noop(language):
    return LANGUAGES[language]["noop"]


def sleeper(language, ms):
    return LANGUAGES[language]["sleep"] % ms


def wait_for(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"waited {seconds} s for {what}")
        time.sleep(0.05)


class Stack:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        options = dict(line.split("=", 1) for line in (self.dir / "options").read_text().splitlines() if "=" in line)
        self.port = int(options["https-port"])
        self.instance = options["instance"]
        self.berthd = pathlib.Path(options["prefix"]) / "sbin/berthd"
        self.context = ssl.create_default_context(cafile=str(self.dir / "tls/cert.pem"))

    def pid(self, name):
        """Of postgres, berthd or nginx."""
        return int((self.dir / "pids" / name).read_text().split()[0])

    def settings(self):
        """The text of `berthd --dump-config`."""
        return subprocess.run([self.berthd, f"--config={self.dir}/berth.conf", "--dump-config"], check=True,
                              capture_output=True, text=True).stdout

    def setting(self, section, key):
        text = self.settings().split(f"[{section}]\n", 1)[1].split("\n[", 1)[0]
        return re.search(rf"^{key} = (.*)$", text, re.M).group(1)

    def connect(self, port=None):
        connection = http.client.HTTPSConnection("localhost", port or self.port, timeout=120, context=self.context)
        connection.connect()
        return connection

    def call(self, method, path, body=None):
        """(status, body as it came) over a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()

    def deploy(self, name, runtime, language, code, **fields):
        function = {"name": name, "language": language, "runtime": runtime, "code": code} | fields
        status, body = self.call("POST", "/functions", function)
        if status != 201:
            sys.exit(f"deploy {name}: {status} {body!r}")

    @contextlib.contextmanager
    def function(self, name, runtime, language, code, **fields):
        """A function for a while; its sandboxes are gone when it is."""
        self.deploy(name, runtime, language, code, **fields)
        try:
            yield name
        finally:
            self.delete([name])

    def delete(self, names):
        for name in names:
            self.call("DELETE", f"/functions/{name}")
        self.wait_for_pool(lambda pool: pool["sandboxes"]["dying"] == 0)

    @contextlib.contextmanager
    def changed(self, **settings):
        """changed(pool__spares=1): settings for a while; the new workers have taken over."""
        names = [key.replace("__", ".") for key in settings]
        self.reload([f"{name}={value}" for name, value in zip(names, settings.values())])
        try:
            yield
        finally:
            self.reload([f"{name}=" for name in names])

    def reload(self, settings):
        log = self.dir / "log/berthd.log"
        mark = log.stat().st_size
        arguments = [part for setting in settings for part in ("--set", setting)]
        subprocess.run([ROOT / "scripts/stack", "reload", "--dir", self.dir, *arguments], check=True, capture_output=True)
        # The pools are replaced one after the other, invoke first.
        wait_for("the new workers to take over", lambda: b"new control workers have taken over" in log.read_bytes()[mark:])

    def pool(self):
        return json.loads(self.call("GET", "/readyz")[1])["pool"]

    def wait_for_pool(self, condition):
        wait_for("the pool to settle", lambda: condition(self.pool()))

    def wait_for_spares(self, runtime, language):
        """Until a spare of the usual shape is there and nothing else goes on."""

        def settled(pool):
            counts = pool["sandboxes"]
            spares = [s["spare"] for s in pool["shapes"] if s["shape"].startswith(f"{runtime}/{language}-")]
            return max(spares, default=0) > 0 and counts["creating"] == counts["booting"] == counts["dying"] == 0

        self.wait_for_pool(settled)


class Baseline:
    """
    nginx as Berth has it, in front of tests/bench/responder. Each has a session of its own, as daemons do and Berth's have: the
    kernel gives each session an equal share (sched(7), autogroup), and what shares one with the client does better than it would.
    """

    def __init__(self, stack, work, name, command):
        self.dir = work / name
        run = self.dir / "run"
        for sub in ("log", "nginx/tmp", "run"):
            (self.dir / sub).mkdir(parents=True)
        shutil.copytree(stack.dir / "tls", self.dir / "tls")
        self.dir.chmod(0o755)
        self.port = free_port()
        settings = re.sub(r"^run_dir = .*$", f"run_dir = {run}", stack.settings(), flags=re.M)
        settings = re.sub(r"^lanes = .*$", "lanes = 1", settings, flags=re.M)
        conf = subprocess.run([ROOT / "scripts/render-nginx", "--dir", self.dir, "--https-port", str(self.port), "--http-port",
                               str(free_port())], input=settings, check=True, capture_output=True, text=True).stdout
        (self.dir / "nginx/berth.conf").write_text(conf)
        with open(self.dir / "log/all.log", "wb") as log:
            self.responder = subprocess.Popen(
                [str(part).replace("SOCKET", str(run / "invoke-0.sock")) for part in command], stdout=log, stderr=log,
                start_new_session=True, env=dict(os.environ, BERTH_FUNCTION_DIR=str(self.dir / "function")))
            self.nginx = subprocess.Popen(["nginx", "-e", "stderr", "-p", self.dir / "nginx", "-c",
                                           self.dir / "nginx/berth.conf", "-g", "daemon off;"], stdout=log, stderr=log,
                                          start_new_session=True)
        wait_for(f"{name} to listen", lambda: listens(self.port), 10)

    def stop(self):
        for process in (self.nginx, self.responder):
            process.send_signal(signal.SIGTERM)
        for process in (self.nginx, self.responder):
            process.wait(10)


def start_constant(stack, work, responder):
    return Baseline(stack, work, "constant", [responder, "constant", "SOCKET", AGENT_PROCESSES])


def start_host(stack, work, responder, language):
    function = work / f"host-{language}" / "function"
    function.mkdir(parents=True)
    (function / LANGUAGES[language]["file"]).write_text(noop(language))
    return Baseline(stack, work, f"host-{language}",
                    [responder, "host", "SOCKET", AGENT_PROCESSES, *LANGUAGES[language]["agent"]])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
