"""Starts nginx on the rendered configuration, in front of two fake FastCGI responders, in a directory of its own."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from fcgi_responder import Responder  # noqa: E402

# As `berthd --dump-config` prints them; timeouts small, so that nginx's own can be waited for.
SETTINGS = """
[master]
; a comment, as in the real one
run_dir = {dir}/run
stop_timeout_ms = 1000

[fcgi]
socket_group = www-data

[database]
connect_timeout_ms = 100
statement_timeout_ms = 100

[invoke]
lanes = 4
max_requests = 6

[control]
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
INVOKE_LIMIT = 100000
CONTROL_LIMIT = 20000 * 6 + 1048576


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


class Site:
    def __init__(self, directory):
        self.dir = directory
        self.https_port, self.http_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.https_port}"
        self.ca = str(directory / "tls" / "cert.pem")


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def site():
    if os.geteuid() != 0 or shutil.which("nginx") is None:
        pytest.skip("needs root and nginx")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="berth-nginx."))
    directory.chmod(0o755)
    for name in ("tls", "log", "run", "nginx/tmp", "static/assets"):
        (directory / name).mkdir(parents=True)
    (directory / "static" / "index.html").write_text("<!doctype html><title>Berth</title>")
    (directory / "static" / "assets" / "app.0123abcd.js").write_text("1;")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", directory / "tls" / "key.pem", "-out", directory / "tls" / "cert.pem"],
        check=True, capture_output=True,
    )
    site = Site(directory)
    rendered = subprocess.run(
        [ROOT / "scripts" / "render-nginx", "--dir", directory, "--static", directory / "static",
         "--https-port", str(site.https_port), "--http-port", str(site.http_port)],
        input=SETTINGS.format(dir=directory), text=True, check=True, stdout=subprocess.PIPE,
    ).stdout
    (directory / "nginx" / "berth.conf").write_text(rendered)

    site.lanes = [Responder(str(directory / "run" / f"invoke-{i}.sock"), answer("invoke")) for i in range(LANES)]
    site.control = Responder(str(directory / "run" / "control.sock"), answer("control"))
    site.health = [Responder(str(directory / "run" / f"health-{i}.sock"), answer(f"health-{i}")) for i in range(2)]
    site.callers = [
        Responder(str(directory / "run" / f"{pool}-{i}.sock"), answer(pool))
        for pool in ("deploy", "query")
        for i in range(CALLER_LANES)
    ]
    site.follow = Responder(str(directory / "run" / "follow.sock"), answer("follow"))
    with open(directory / "log" / "nginx.log", "w") as log:
        nginx = subprocess.Popen(
            ["nginx", "-e", "stderr", "-p", directory / "nginx", "-c", directory / "nginx" / "berth.conf",
             "-g", "daemon off;"],
            stderr=log,
        )
    try:
        for _ in range(100):
            if listening(site.https_port) or nginx.poll() is not None:
                break
            time.sleep(0.05)
        assert nginx.poll() is None, (directory / "log" / "nginx.log").read_text()
        yield site
    finally:
        nginx.terminate()
        nginx.wait(10)
        shutil.rmtree(directory)
