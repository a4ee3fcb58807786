"""Whatever nginx refuses by itself it refuses with a problem, whose headers come once."""

import collections
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest
import requests
from conftest import CONTROL_LIMIT, INVOKE_LIMIT, ROOT, assert_problem, raw_request, wait_for

# What nginx has a page for, but cannot come to as it is configured: there is nothing to sign in to (401), to pay (402), to
# negotiate (406), to store (409) or that was removed (410); files come whole (416). Who stops sending (408) is not answered.
IMPOSSIBLE = {401, 402, 406, 408, 409, 410, 416}
PROBLEMS = (ROOT / "fcgi/ipc/problem.def").read_text()
TITLES = dict(re.findall(r'^PROBLEM\(\w+, (\w+), \d+, \d+, "([^"]*)"', PROBLEMS, re.M))
CODES = {int(status): name.lower() for status, name in re.findall(r"^NGINX_(?:PROBLEM|ONLY)\((\d+), (\w+),", PROBLEMS, re.M)}


def statuses_of_nginx():
    """Those it has a page of its own for."""
    with open(shutil.which("nginx"), "rb") as program:
        return {int(status) for status in re.findall(rb"<title>([45]\d\d) ", program.read())}


def assert_each_header_once(headers):
    assert [name for name, count in collections.Counter(name.lower() for name, _ in headers).items() if count > 1] == []


def get(site, path, headers=(), method="GET", body=None):
    """(response, headers as they came)"""
    connection = http.client.HTTPSConnection("127.0.0.1", site.https_port, timeout=10, context=ssl.create_default_context(cafile=site.ca))
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer, answer.read(), answer.getheaders()
    finally:
        connection.close()


def curl(site, *args, data=b""):
    """(status, problem) over HTTP/2"""
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--http2", "--max-time", "20", "--cacert", site.ca, "-w", "\n%{http_version} %{http_code} %{content_type}", *args],
        input=data, capture_output=True, check=False,
    )  # fmt: skip
    body, _, told = done.stdout.decode().rpartition("\n")
    version, status, content_type = told.split(" ", 2)
    assert version == "2" and content_type == "application/problem+json", (told, body, done.stderr)
    return int(status), json.loads(body)


@pytest.fixture(scope="module")
def forced(start_site):
    """Answers /force/NNN with that status, as nginx would by itself."""
    places = "".join(f"        location = /force/{s} {{ return {s}; }}\n" for s in sorted(statuses_of_nginx() | set(CODES)) if s != 408)
    return start_site({"        location = / {\n": places + "        location = / {\n"})


def test_every_status_of_nginx_is_known(forced):
    assert statuses_of_nginx() >= {400, 404, 412, 421, 500, 507}
    assert statuses_of_nginx() - IMPOSSIBLE <= set(CODES)


def test_every_row_of_nginx_has_a_page(site):
    conf = (site.dir / "nginx" / "berth.conf").read_text()
    (statuses,) = re.findall(r"error_page ((?:\d+ )+)/\.problem;", conf)
    assert sorted(map(int, statuses.split())) == sorted(CODES)


@pytest.mark.parametrize("status", sorted(set(CODES) - {507}))  # which is made of 500, see below
def test_every_status_is_a_problem_with_its_headers_once(forced, status):
    answer, body, headers = get(forced, f"/force/{status}")
    problem = json.loads(body)
    assert (answer.status, problem["status"], problem["code"]) == (status, status, CODES[status])
    assert problem["title"] == TITLES.get(problem["code"], problem["title"])  # one for each code, whoever answers it
    assert problem["title"] and problem["detail"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert_each_header_once(headers)


# Static files

def test_a_condition_that_does_not_hold_is_a_problem(site):
    for condition in ({"If-Match": '"other"'}, {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}):
        answer, body, headers = get(site, "/index.html", condition)
        assert (answer.status, json.loads(body)["code"]) == (412, "precondition_failed")
        assert_each_header_once(headers)


def test_files_come_whole_whatever_range_is_asked_for(site):
    for range_ in ("bytes=0-3", "bytes=99999-", "bytes=0-0,2-2"):
        answer, body, headers = get(site, "/index.html", {"Range": range_})
        assert (answer.status, body[:9]) == (200, b"<!doctype")
        assert_each_header_once(headers)


# Bodies

def test_a_body_over_the_limit_over_http_2_is_a_problem(site):
    large = b"x" * 7_000_000
    for path, limit in (("/execute/f", INVOKE_LIMIT), ("/functions", CONTROL_LIMIT), ("/metrics", 100_000), ("/index.html", 100_000)):
        status, problem = curl(site, "--data-binary", "@-", site.url + path, data=large)
        assert (status, problem["code"], problem["limit"], problem["actual"]) == (413, "payload_too_large", limit, len(large))
    status, problem = curl(site, "-X", "POST", "-T", "-", f"{site.url}/execute/f", data=large)  # of no announced length
    assert (status, problem["code"], "actual" in problem) == (413, "payload_too_large", False)


def test_what_takes_no_body_takes_no_large_one(site, http):
    assert_problem(http.get(f"{site.url}/metrics", data=b"x" * 100_001), 413, "payload_too_large")
    assert_problem(http.get(f"{site.url}/functions/f/logs", data=(b"x" * 1000 for _ in range(101))), 413, "payload_too_large")
    for method, path in (("GET", "/functions/f/invocations"), ("GET", "/functions"), ("DELETE", "/functions/f"), ("PATCH", "/functions/f")):
        status, problem = curl(site, "-X", method, "-T", "-", site.url + path, data=b"x" * 500_000)
        assert (status, problem["code"], problem["limit"]) == (413, "payload_too_large", 100_000)


def test_without_the_platform_a_body_of_any_legal_size_is_a_bad_gateway(start_site):
    site = start_site(limits__request_bytes=4_000_000, limits__code_bytes=1_000_000)
    for responder in site.responders:
        responder.close()
    for path in ("/functions", "/execute/f"):
        for size in (0, 3_000_000):
            answer = requests.post(site.url + path, data=b"x" * size, verify=site.ca, timeout=20)
            assert_problem(answer, 502, "bad_gateway")
            assert answer.headers["Retry-After"] == "1"
        status, problem = curl(site, "--data-binary", "@-", site.url + path, data=b"x" * 3_000_000)
        assert (status, problem["code"]) == (502, "bad_gateway")


def test_a_body_that_finds_no_room_on_disk_is_told_so(start_site):
    site = start_site(tmpfs="256k", limits__request_bytes=4_000_000, limits__code_bytes=1_000_000)

    def post(path, body):
        return requests.post(site.url + path, data=body, verify=site.ca, timeout=20)

    for path in ("/functions", "/execute/f"):
        assert post(path, b"x" * 200_000).json()["body_bytes"] == 200_000
        for body in (b"x" * 1_000_000, (b"x" * 10_000 for _ in range(100))):
            problem = assert_problem(post(path, body), 507, "insufficient_storage")
            assert "disk" in problem["detail"]
        assert post(path, b"x" * 1000).json()["body_bytes"] == 1000  # fits into memory
        status, problem = curl(site, "--data-binary", "@-", site.url + path, data=b"x" * 1_000_000)
        assert (status, problem["code"]) == (507, "insufficient_storage")
        assert post(path, b"x" * 200_000).json()["body_bytes"] == 200_000
    said = [line for line in site.log().splitlines() if "No space left on device" in line]
    assert said and all(" [crit] " in line and "request: " in line for line in said)


# Clients that stop

@pytest.fixture(scope="module")
def impatient(start_site):
    return start_site({"client_header_timeout 15s": "client_header_timeout 1s", "client_body_timeout 30s": "client_body_timeout 1s"})


@pytest.mark.parametrize("sent", [b"POST /execute/f HTTP/1.1\r\nHost: localhost\r\nContent-Le",
                                  b"POST /execute/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345"])  # fmt: skip
def test_who_stops_sending_is_let_go_and_the_log_says_408(impatient, sent):
    before, began = sum(impatient.asked()), time.monotonic()
    assert raw_request(impatient, sent) == ("", b"")  # nginx has no answer for this: it closes the connection
    assert time.monotonic() - began < 8
    assert sum(impatient.asked()) == before
    wait_for("the log", lambda: any(line["status"] == 408 for line in impatient.access_log()))


# What is no request

@pytest.mark.parametrize(
    "request_, status, code",
    [
        (b"nonsense\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/1.1\r\nHost: local\x01host\r\n\r\n", 400, "invalid_request"),
        (b"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_request"),
        (b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_request"),
        (b"POST /execute/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400, "invalid_request"),
        (b"POST /execute/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "invalid_request"),
        (b"POST /execute/f HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "invalid_request"),
        (b"POST /execute/f HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not_implemented"),
        (b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 505, "http_version_not_supported"),
        (b"TRACE /execute/f HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405, "method_not_allowed"),
        (b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", None, None),
    ],
)
def test_what_is_no_proper_request_is_a_problem(site, request_, status, code):
    head, body = raw_request(site, request_)
    problem = json.loads(body)
    found = int(head.split(" ", 2)[1])
    assert (problem["status"], problem["code"]) == (found, CODES[found])
    assert status in (found, None) and code in (problem["code"], None)
    assert_each_header_once([line.split(": ", 1) for line in head.splitlines()[1:]])


def test_a_method_that_is_not_allowed_comes_with_those_that_are(site):
    for path, allowed in (("/execute/f", "POST"), ("/functions/f", "GET, HEAD, POST, PUT, DELETE"), ("/", "GET, HEAD")):
        answer, _, _ = get(site, path, method="TRACE")
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


def test_plain_http_is_refused_with_problems_too(site):
    with socket.create_connection(("127.0.0.1", site.http_port), 10) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b" 400 " in head.splitlines()[0] and json.loads(body)["code"] == "invalid_request"
    assert b"strict-transport-security" not in head.lower()
