"""What one client address may do at a time, and that nobody can say to be somebody else."""

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess

import pytest
import requests
from conftest import API_REQUESTS, CALLER_REQUESTS, LANES, POOL_REQUESTS, assert_problem, at_once, held, wait_for

# Tests choose their address: X-Test-Client stands in for the network.
ADDRESSES = {"    server_tokens off;": "    server_tokens off;\n    set_real_ip_from 127.0.0.1;\n    real_ip_header X-Test-Client;"}
FREE = {"client__max_requests": 4000, "invoke__max_requests": 4000, "pool__queue_length": 4000, "control__max_requests": 4000}


@pytest.fixture(scope="module")
def strict(start_site):
    site = start_site(ADDRESSES, tmpfs="64m", **FREE | {
        "client__max_requests": 3, "client__max_api_requests": 4, "client__max_follows": 2, "client__max_bodies": 2,
        "limits__request_bytes": 1_000_000, "limits__code_bytes": 1_000_000,
    })  # fmt: skip
    site.empty_bytes = 0
    site.empty_bytes = on_disk(site)
    return site


@pytest.fixture(scope="module")
def crowded(start_site):
    return start_site(ADDRESSES, **FREE)


@pytest.mark.parametrize(
    "method, path, most, reason",
    [
        ("POST", "/execute/f{}/hold", 3, "queue_full"),
        ("POST", "/execute/f/hold", 3, "queue_full"),
        ("GET", "/functions/{}/versions/hold", 4, "too_many_requests"),
        ("GET", "/functions/hold", 4, "too_many_requests"),
        ("GET", "/metrics/system/hold", 4, "too_many_requests"),
        ("GET", "/functions/x{}/logs?pause=/hold", 2, "too_many_follow"),
    ],
)
def test_more_than_one_client_may_have_under_way_are_refused_at_once(strict, method, path, most, reason):
    paths = [path.format(i) for i in range(8)]
    for answer in at_once(strict, method, paths, 8 - most, ["192.0.2.1"] * 8):
        if answer.status_code == 429:
            problem = assert_problem(answer, 429, "throttled")
            assert problem["reason"] == reason and f"{most}" in problem["detail"]
            assert answer.headers["Retry-After"] == "1"
    at_once(strict, method, paths, 0, [f"192.0.2.{i}" for i in range(8)])  # other clients are not concerned


@pytest.mark.parametrize(
    "method, path", [("POST", "/functions?x={}/hold"), ("GET", "/metrics/functions/x?from={}/hold")], ids=["deployments", "searches"]
)
def test_of_what_takes_long_one_client_has_half_of_the_places_at_most(crowded, method, path):
    paths = [path.format(i) for i in range(POOL_REQUESTS * 2)]
    for answer in at_once(crowded, method, paths[: CALLER_REQUESTS + 2], 2, ["192.0.2.1"] * (CALLER_REQUESTS + 2)):
        if answer.status_code == 429:
            assert_problem(answer, 429, "throttled")
            assert int(answer.headers["Retry-After"]) >= 1
    at_once(crowded, method, paths, POOL_REQUESTS, [f"192.0.2.{i // 2}" for i in range(len(paths))])


def is_refused(site, path, client):
    return requests.get(site.url + path, headers={"X-Test-Client": client}, verify=site.ca, timeout=20).status_code == 429


def test_health_is_told_whatever_else_comes_from_the_same_address(strict):
    paths = [f"/execute/{name}/hold" for name in "abc"] + [f"/functions/{name}/hold" for name in "abcd"]
    with held(strict, "POST", paths, 0, ["192.0.2.9"] * len(paths)):
        assert is_refused(strict, "/functions", "192.0.2.9") and is_refused(strict, "/execute/f", "192.0.2.9")
        assert not is_refused(strict, "/healthz", "192.0.2.9") and not is_refused(strict, "/readyz", "192.0.2.9")


@pytest.mark.parametrize("path", ["/readyz", "/limits", "/metrics"])
def test_other_health_checks_of_an_address_do_not_keep_it_from_healthz(strict, path):
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(unfinished(strict, path, "Content-Length: 1000", b"x", "192.0.2.10"))
        wait_for("more to be refused", lambda: is_refused(strict, path, "192.0.2.10"))
        assert not is_refused(strict, "/healthz", "192.0.2.10")


@pytest.mark.parametrize(
    "addresses, alike",
    [
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2:3:4:5:6"], True),
        (["2001:db8::1", "2001:db8::2:0:0:1", "2001:db8:0:0:1:2:3:4"], True),
        (["fe80::1", "fe80::ffff:1", "fe80::1:2:3:4"], True),
        (["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:2:2::1"], False),
        (["::1", "::2", "192.0.2.1"], False),
        (["192.0.2.1", "192.0.2.2", "192.0.3.1"], False),
    ],
)
def test_a_client_of_ipv6_is_its_network(strict, addresses, alike):
    at_once(strict, "POST", ["/execute/f/hold"] * 6, 3 if alike else 0, addresses * 2)


def test_all_together_may_have_so_many_requests_of_the_api_under_way(start_site):
    site = start_site(ADDRESSES)
    count = API_REQUESTS * 2
    answers = at_once(site, "GET", ["/functions/hold", "/metrics/hold"] * API_REQUESTS, API_REQUESTS, [f"192.0.2.{i}" for i in range(count)])
    assert {answer.json()["reason"] for answer in answers if answer.status_code == 429} == {"too_many_requests"}


# Bodies

@contextlib.contextmanager
def unfinished(site, path, headers, part, client):
    """A connection on which a request has begun whose body does not end."""
    context = ssl.create_default_context(cafile=site.ca)
    with socket.create_connection(("127.0.0.1", site.https_port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Test-Client: {client}\r\n{headers}\r\n\r\n".encode() + part)
            yield connection


def on_disk(site):
    """Bytes; the files have no name."""
    told = os.statvfs(site.bodies)
    return (told.f_blocks - told.f_bfree) * told.f_frsize - site.empty_bytes


ANNOUNCED = ("Content-Length: 900000", b"x" * 800_000)
CHUNKED = ("Transfer-Encoding: chunked", b"c3500\r\n" + b"x" * 800_000 + b"\r\n")


@pytest.mark.parametrize("path", ["/functions", "/functions/f", "/execute/f", "/execute/g"])
@pytest.mark.parametrize("headers, part", [ANNOUNCED, CHUNKED], ids=["announced", "chunked"])
def test_bodies_that_do_not_end_take_little_of_the_disk(strict, path, headers, part):
    def post(size, client):
        return requests.post(strict.url + path, data=b"x" * size, headers={"X-Test-Client": client}, verify=strict.ca, timeout=20)

    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(unfinished(strict, path, headers, part, "192.0.2.5"))
        wait_for("two to be on disk", lambda: on_disk(strict) > 1_300_000)
        for _ in range(10):
            connection = stack.enter_context(unfinished(strict, path, headers, b"", "192.0.2.5"))
            assert b" 429 " in connection.recv(65536).split(b"\r\n", 1)[0]
        assert on_disk(strict) < 2 * 900_000
        problem = assert_problem(post(200_000, "192.0.2.5"), 429, "throttled")
        assert "with large bodies 2" in problem["detail"]
        assert post(99_999, "192.0.2.5").status_code == 200  # is no large one
        assert post(0, "192.0.2.5").status_code == 200
        assert post(200_000, "192.0.2.6").status_code == 200
    wait_for("the disk to be free again", lambda: on_disk(strict) == 0)
    wait_for("bodies to be taken again", lambda: post(200_000, "192.0.2.5").status_code == 200)


def test_a_body_of_unknown_length_over_http_2_counts_as_a_large_one(strict):
    slow = [
        subprocess.Popen(
            ["curl", "-sS", "--noproxy", "*", "--http2", "--max-time", "30", "--cacert", strict.ca, "-H", "X-Test-Client: 192.0.2.7",
             "-X", "POST", "-T", "-", f"{strict.url}/execute/f"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]  # fmt: skip
    try:
        for one in slow:
            one.stdin.write(b"x" * 300_000)
            one.stdin.flush()
        wait_for("both to be on disk", lambda: on_disk(strict) > 200_000)

        def third():
            return requests.post(f"{strict.url}/execute/f", data=b"x" * 200_000, headers={"X-Test-Client": "192.0.2.7"}, verify=strict.ca)

        wait_for("a third to be refused", lambda: third().status_code == 429)
        for one in slow:
            out, _ = one.communicate(timeout=20)
            assert json.loads(out)["body_bytes"] == 300_000
    finally:
        for one in slow:
            one.kill()
            one.wait()


def test_reading_over_http_2_is_not_taken_for_a_large_body(start_site):
    """HTTP/2 need not say that a request has none."""
    site = start_site(client__max_bodies=1)
    for path in ("/functions", "/functions/f", "/metrics"):
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--http2", "--parallel", "--parallel-immediate", "--cacert", site.ca,
             "-w", "\n%{http_version} %{http_code}\n", *[f"{site.url}{path}?{i}=/pause" for i in range(6)]],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert re.findall(r"^\d \d{3}$", done.stdout, re.M) == ["2 200"] * 6, done.stdout


# Rate

def test_more_requests_in_a_second_than_one_client_may_send_are_refused(start_site):
    site = start_site(ADDRESSES, **FREE | {"client__requests_per_s": 1})

    def call(client):
        return requests.post(f"{site.url}/execute/f", headers={"X-Test-Client": client}, verify=site.ca)

    answers = [call("192.0.2.1") for _ in range(10)]  # in less than the ten seconds they should take
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers[:2]} == {200} and refused
    for answer in refused:
        problem = assert_problem(answer, 429, "throttled")
        assert problem["reason"] == "client_rate" and "More than 1 requests a second" in problem["detail"]
        assert answer.headers["Retry-After"] == "1"
    assert call("192.0.2.2").status_code == 200
    for path in ("/functions", "/functions/f/logs", "/metrics/system"):  # the rate is of all together
        wait_for("a refusal", lambda path=path: is_refused(site, path, "192.0.2.1"))
        assert not is_refused(site, "/healthz", "192.0.2.1")
    wait_for("the client to be served again", lambda: call("192.0.2.1").status_code == 200)


# Connections

def test_connections_that_ask_for_nothing_make_way(start_site):
    """nginx counts requests, not connections: those that are idle must not keep others out."""
    site = start_site({"worker_connections 8192": "worker_connections 60", f"worker_processes {os.cpu_count()}": "worker_processes 1"})
    context = ssl.create_default_context(cafile=site.ca)
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", site.https_port), timeout=10))
            stack.enter_context(context.wrap_socket(raw, server_hostname="127.0.0.1"))
        for _ in range(5):
            assert requests.post(f"{site.url}/execute/f", verify=site.ca, timeout=10).status_code == 200


# Who called

FORGED = """
Authorization: Basic YWRtaW46eA==
Authorization: Bearer x
Proxy-Authorization: Basic YWRtaW46eA==
Remote-User: admin
Remote_User: admin
REMOTE_USER: admin
Remote-Addr: 192.0.2.66
X-Remote-User: admin
X-Forwarded-User: admin
X-Forwarded-For: 192.0.2.66
X-Forwarded-Host: evil.example
X-Forwarded-Proto: http
X-Real-IP: 192.0.2.66
Forwarded: for=192.0.2.66
True-Client-IP: 192.0.2.66
CF-Connecting-IP: 192.0.2.66
X-Client-Cert: x
X-Original-URL: /functions
X-Rewrite-URL: /functions
X-HTTP-Method-Override: DELETE
Cookie: user=admin
Proxy: http://evil.example
Berth-Queued-At: 1
BERTH_QUEUED_AT: 1
Via: 1.1 admin
From: admin@example
""".strip().splitlines()


def params_with(site, headers):
    context = ssl.create_default_context(cafile=site.ca)
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", site.https_port, context=context, timeout=10)) as connection:
        connection.putrequest("POST", "/execute/f", skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("X-Request-Id", "same")
        connection.endheaders()
        return json.loads(connection.getresponse().read())["params"] | {"BERTH_QUEUED_AT": ""}


@pytest.mark.parametrize("header", FORGED)
def test_nothing_that_a_client_says_of_itself_reaches_a_worker(site, header):
    name, value = header.split(": ", 1)
    assert params_with(site, [(name, value)]) == params_with(site, [])


def test_all_of_it_at_once_does_not_either(site):
    headers = dict(header.split(": ", 1) for header in FORGED)  # a second Authorization is no proper request
    assert params_with(site, headers.items()) == params_with(site, [])


def test_a_user_in_the_address_reaches_no_worker(site):
    before = site.asked()
    for user in ("admin", "%1b%5b31m", "a%0d%0ab", "%00"):
        subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--cacert", site.ca, "-u", "admin:x", "-X", "POST",
             f"https://{user}:x@127.0.0.1:{site.https_port}/execute/f"], check=True, capture_output=True,
        )  # fmt: skip
    (lane,) = [i for i in range(LANES) if site.asked()[i] > before[i]]
    for params, _ in site.lanes[lane].requests[before[lane] :]:
        assert "REMOTE_USER" not in params and params["REMOTE_ADDR"] == "127.0.0.1"
        assert "admin" not in json.dumps(params)
