"""Starts nginx on the rendered configuration, in front of two fake FastCGI responders, in a directory of its own."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from fcgi_responder import Responder  # noqa: E402

# Of what `berthd --dump-config` prints; timeouts small, so that nginx's own can be waited for, and all that a client may do large.
SETTINGS = """
[master]
; a comment, as in the real one
run_dir = {dir}/run
stop_timeout_ms = 1000

[http]
server_names = localhost 127.0.0.1 [::1] berth.example

[client]
max_requests = 4000
max_api_requests = 4000
max_follows = 4000
max_bodies = 4000
requests_per_s = 1000000

[fcgi]
socket_group = www-data

[database]
connect_timeout_ms = 100
statement_timeout_ms = 100

[invoke]
lanes = 4
max_requests = 6

[control]
max_requests = 8
queue_timeout_ms = 100

[deploy]
max_requests = 6
trial_timeout_ms = 100

[query]
max_requests = 6
statement_timeout_ms = 100

[pool]
queue_timeout_ms = 100
queue_length = 3
max_sandboxes = 1
boot_timeout_ms = 100

[limits]
init_timeout_max_ms = 100
timeout_max_ms = 100
request_bytes = 100000
code_bytes = 20000
"""
LANES = 4
FUNCTION_REQUESTS = 4  # queue_length and max_sandboxes
NODE_REQUESTS = 6
CALLER_LANES = 16
POOL_REQUESTS = 6  # deploy.max_requests, query.max_requests
CALLER_REQUESTS = 3  # half of them
API_REQUESTS = 8
INVOKE_LIMIT = 100000
CONTROL_LIMIT = 20000 * 6 + 1048576


RELEASED = threading.Event()  # requests for …/hold are answered once it is set


def answer(name):
    """An answer that shows what the responder was given; some paths misbehave."""

    def respond(params, body):
        path = params["REQUEST_URI"]
        if path.endswith("/crash"):
            return None
        if path.endswith("/slow"):
            time.sleep(8)
        if path.endswith("/pause"):
            time.sleep(1)
        if path.endswith("/hold"):
            RELEASED.wait(5)
        status = "502 Bad Gateway" if path.endswith("/function_error") else "200 OK"
        content = json.dumps({"socket": name, "params": params, "body_bytes": len(body)})
        if path.endswith("/big"):
            content = json.dumps("x" * 3_000_000)
        head = f"Status: {status}\r\nContent-Type: application/json\r\nX-Request-Id: {params['HTTP_X_REQUEST_ID']}\r\n\r\n"
        return (head + content).encode()

    return respond


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


class Site:
    """
    nginx on the rendered configuration, with other settings (client__max_bodies=2) and other text in places ({old: new}). tmpfs:
    the size of a file system of its own for bodies.
    """

    def __init__(self, text=(), tmpfs=None, **settings):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="berth-nginx."))
        self.dir.chmod(0o755)
        self.https_port, self.http_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.https_port}"
        self.ca = str(self.dir / "tls" / "cert.pem")
        self.bodies = self.dir / "nginx" / "tmp" / "body"
        for name in ("tls", "log", "run", "nginx/tmp/body", "static/assets"):
            (self.dir / name).mkdir(parents=True)
        (self.dir / "static" / "index.html").write_text("<!doctype html><title>Berth</title>")
        (self.dir / "static" / "assets" / "app.0123abcd.js").write_text("1;")
        self._make_certificate()
        conf = self.render(SETTINGS, settings)
        for old, new in dict(text).items():
            assert old in conf
            conf = conf.replace(old, new)
        (self.dir / "nginx" / "berth.conf").write_text(conf)
        self._mounted = tmpfs is not None
        if self._mounted:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={tmpfs}", "berth-nginx", self.bodies], check=True)
        self.lanes = [Responder(str(self.dir / "run" / f"invoke-{i}.sock"), answer("invoke")) for i in range(LANES)]
        self.control = Responder(str(self.dir / "run" / "control.sock"), answer("control"))
        self.health = [Responder(str(self.dir / "run" / f"health-{i}.sock"), answer(f"health-{i}")) for i in range(2)]
        self.callers = [
            Responder(str(self.dir / "run" / f"{pool}-{i}.sock"), answer(pool))
            for pool in ("deploy", "query")
            for i in range(CALLER_LANES)
        ]
        self.follow = Responder(str(self.dir / "run" / "follow.sock"), answer("follow"))
        self.responders = [*self.lanes, self.control, *self.health, *self.callers, self.follow]
        self.nginx = self._start()

    def _make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
             "-keyout", self.dir / "tls" / "key.pem", "-out", self.dir / "tls" / "cert.pem"],
            check=True, capture_output=True,
        )

    def render(self, template, changes):
        section, lines = "", []
        for line in template.format(dir=self.dir).splitlines():
            section = line.strip("[]") if line.startswith("[") else section
            key = line.partition(" = ")[0]
            value = changes.get(f"{section}__{key}")
            lines.append(line if value is None else f"{key} = {value}")
        return subprocess.run(
            [ROOT / "scripts" / "render-nginx", "--dir", self.dir, "--static", self.dir / "static",
             "--https-port", str(self.https_port), "--http-port", str(self.http_port)],
            input="\n".join([*lines, ""]), text=True, check=True, stdout=subprocess.PIPE,
        ).stdout

    def _start(self):
        with open(self.dir / "log" / "nginx.log", "w") as log:
            nginx = subprocess.Popen(
                ["nginx", "-e", "stderr", "-p", self.dir / "nginx", "-c", self.dir / "nginx" / "berth.conf",
                 "-g", "daemon off;"],
                stderr=log,
            )
        wait_for("nginx", lambda: listening(self.https_port) or nginx.poll() is not None)
        assert nginx.poll() is None, self.log()
        return nginx

    def log(self):
        return (self.dir / "log" / "nginx.log").read_text()

    def access_log(self):
        return [json.loads(line) for line in (self.dir / "log" / "access.log").read_text().splitlines()]

    def asked(self):
        """How many requests have come through each lane."""
        return [len(lane.requests) for lane in self.lanes]

    def requests(self):
        """What berthd has been asked, through whichever socket."""
        return [request for responder in self.responders for request in responder.requests]

    def all_asked(self):
        return len(self.requests())

    def close(self):
        self.nginx.terminate()
        self.nginx.wait(10)
        if self._mounted:
            subprocess.run(["umount", self.bodies], check=True)
        shutil.rmtree(self.dir)


@pytest.fixture(scope="session")
def start_site():
    """start_site(…) as Site(…); each is ended with the tests."""
    if os.geteuid() != 0 or shutil.which("nginx") is None:
        pytest.skip("needs root and nginx")
    sites = []

    def start(*args, **settings):
        sites.append(Site(*args, **settings))
        return sites[-1]

    yield start
    for one in sites:
        one.close()


@pytest.fixture(scope="session")
def site(start_site):
    return start_site()


@pytest.fixture
def http(site):
    with requests.Session() as session:
        session.verify = site.ca
        session.trust_env = False
        yield session


def raw_request(site, data):
    """Sends bytes as they are and returns the status line, the headers and the body."""
    context = ssl.create_default_context(cafile=site.ca)
    with socket.create_connection(("127.0.0.1", site.https_port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
            connection.sendall(data)
            answer = b""
            while part := connection.recv(65536):
                answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body


@contextlib.contextmanager
def held(site, method, paths, refused=0, clients=()):
    """
    Sends requests for these paths (…/hold) at once, each as one of the clients. Of those that come through, none is answered before
    the others were refused, as many as are expected, and the block has ended. Gives a list that has all answers then.
    """
    RELEASED.clear()
    before, answers = site.all_asked(), []

    def call(i):
        headers = {"X-Test-Client": clients[i]} if clients else {}
        return requests.request(method, site.url + paths[i], headers=headers, verify=site.ca, timeout=20)

    with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
        calls = [pool.submit(call, i) for i in range(len(paths))]
        try:
            wait_for("the others to be held", lambda: site.all_asked() - before >= len(paths) - refused)
            wait_for("some to be refused", lambda: sum(one.done() for one in calls) >= refused)
            yield answers
        finally:
            RELEASED.set()
    answers += [one.result() for one in calls]


def at_once(site, method, paths, refused=0, clients=()):
    """The answers to requests for these paths, all under way at a time but for those that are refused."""
    with held(site, method, paths, refused, clients) as answers:
        pass
    assert sorted(answer.status_code for answer in answers) == [200] * (len(paths) - refused) + [429] * refused
    return answers


def assert_problem(response, status, code):
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"urn:berth:problem:{code}"
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["title"] and problem["detail"] and problem["instance"].startswith("/")
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "no-store"
    return problem
