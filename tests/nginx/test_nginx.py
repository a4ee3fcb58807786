"""nginx's share of the platform: TLS, routes, limits, request ids, its own errors, static files."""

import json
import random
import re
import socket
import ssl
import subprocess
import time

import pytest
import requests

from conftest import (
    CONTROL_LIMIT,
    FUNCTION_REQUESTS,
    INVOKE_LIMIT,
    LANES,
    NODE_REQUESTS,
    assert_problem,
    at_once,
    raw_request,
)


def tls_handshake(site, version):
    context = ssl.create_default_context(cafile=site.ca)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", site.https_port)) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
            return connection.version()


# TLS

@pytest.mark.parametrize("version, name", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_tls_1_2_and_1_3_are_spoken(site, version, name):
    assert tls_handshake(site, version) == name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_tls_is_refused(site):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls_handshake(site, ssl.TLSVersion.TLSv1_1)


def test_http_2_is_spoken(site):
    version = subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", site.ca, "-o", "/dev/null", "-w", "%{http_version}", site.url + "/"],
        check=True, text=True, stdout=subprocess.PIPE,
    ).stdout
    assert version == "2"


def test_plain_http_is_redirected_with_the_method_kept(site, http):
    for port in (site.http_port, site.https_port):
        response = http.post(f"http://127.0.0.1:{port}/functions?a=b", allow_redirects=False)
        assert response.status_code == 308
        assert response.headers["Location"] == f"{site.url}/functions?a=b"


def test_only_loopback_is_listened_on(site):
    conf = (site.dir / "nginx" / "berth.conf").read_text()
    addresses = re.findall(r"listen (\S+):\d+ ", conf)
    assert addresses and set(addresses) <= {"127.0.0.1", "[::1]"}


# Routes

@pytest.mark.parametrize("path", ["/execute/f", "/execute/f?version=2", "/execute/", "/execute"])
def test_invocations_go_to_the_invoke_pool(site, http, path):
    assert http.post(site.url + path, json={}).json()["socket"] == "invoke"


@pytest.mark.parametrize(
    "path",
    ["/functions", "/functions?limit=2", "/functions/", "/functions/f", "/functions/f/versions", "/invocations/1",
     "/metrics/system", "/metrics/nothing"],
)
def test_what_is_answered_at_once_goes_to_the_control_pool(site, http, path):
    assert http.get(site.url + path).json()["socket"] == "control"
    assert http.delete(site.url + path).json()["socket"] == "control"


@pytest.mark.parametrize("path", ["/functions", "/functions?x=1", "/functions/f", "/functions/f?x=1"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_deployments_go_to_workers_of_their_own(site, http, method, path):
    assert http.request(method, site.url + path, json={}).json()["socket"] == "deploy"


@pytest.mark.parametrize(
    "path",
    ["/invocations?request_id=x", "/functions/f/invocations", "/functions/f/invocations?text=x", "/invocations/1/logs", "/invocations/1/logs?format=text",
     "/metrics/functions/f", "/metrics/functions/f?step=60", "/metrics/runtimes", "/metrics/system?from=1"],
)
def test_searches_go_to_workers_of_their_own(site, http, path):
    assert http.get(site.url + path).json()["socket"] == "query"


@pytest.mark.parametrize(
    "path, lane", [("/healthz", 0), ("/healthz?x", 0), ("/limits", 0), ("/metrics", 0), ("/readyz", 1), ("/readyz?x", 1)]
)
def test_health_is_behind_nobody_who_may_wait(site, http, path, lane):
    assert http.get(site.url + path).json()["socket"] == f"health-{lane}"


def from_address(site, address):
    """A session that comes from this loopback address."""

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args, **kwargs):
            super().init_poolmanager(*args, source_address=(address, 0), **kwargs)

    session = requests.Session()
    session.verify, session.trust_env = site.ca, False
    session.mount("https://", Adapter())
    return session


def test_a_client_is_always_in_the_same_lane(site):
    addresses = [f"127.0.0.{i}" for i in range(2, 26)]
    for address in addresses * 2:
        with from_address(site, address) as session:
            assert session.get(site.url + "/metrics/runtimes").status_code == 200
    lanes = {
        address: {i for i, lane in enumerate(site.callers) if any(r[0]["REMOTE_ADDR"] == address for r in lane.requests
                                                                    if r[0]["REQUEST_URI"] == "/metrics/runtimes")}
        for address in addresses
    }
    assert all(len(of_one) == 1 for of_one in lanes.values()), lanes
    assert len(set().union(*lanes.values())) > 4  # 24 clients in 16 lanes


def test_who_follows_logs_goes_to_the_follower(site, http):
    assert http.get(site.url + "/functions/hello/logs?after=1").json()["socket"] == "follow"
    assert http.get(site.url + "/invocations/hello/logs").json()["socket"] == "query"
    assert http.get(site.url + "/functions/hello/logs/x").json()["socket"] == "control"


@pytest.mark.parametrize("path", ["/nothing", "/executes", "/functionsx", "/healthz/x", "/assets/", "/assets/none.js"])
def test_unknown_paths_are_problems(site, http, path):
    problem = assert_problem(http.get(site.url + path), 404, "not_found")
    assert problem["instance"] == path


def test_parameters_reach_the_application(site, http):
    params = http.post(
        site.url + "/execute/a%20b?x=%2F", data=b"12345", headers={"X-Other": "one", "Proxy": "evil", "If-Match": '"3"'},
    ).json()["params"]
    assert params["REQUEST_METHOD"] == "POST"
    assert params["REQUEST_URI"] == "/execute/a%20b?x=%2F"
    assert params["QUERY_STRING"] == "x=%2F"
    assert params["CONTENT_LENGTH"] == "5"
    assert params["REMOTE_ADDR"] == "127.0.0.1"
    assert params["HTTP_IF_MATCH"] == '"3"'
    assert abs(float(params["BERTH_QUEUED_AT"]) - time.time()) < 2
    assert not any("OTHER" in name or "PROXY" in name for name in params)


def test_large_answers_pass_whole(site, http):
    assert len(http.get(site.url + "/execute/big").json()) == 3_000_000


def test_errors_of_the_application_pass_unchanged(site, http):
    response = http.post(site.url + "/execute/function_error", json={})
    assert response.status_code == 502
    assert response.json()["socket"] == "invoke"
    assert "Retry-After" not in response.headers and "Cache-Control" not in response.headers


# Request ids

@pytest.mark.parametrize("path", ["/functions", "/", "/nothing"])
def test_a_sane_request_id_is_kept(site, http, path):
    response = http.get(site.url + path, headers={"X-Request-Id": "a.B_c:1-2"})
    assert response.headers["X-Request-Id"] == "a.B_c:1-2"


@pytest.mark.parametrize("bad", ["with space", 'quote"', "x" * 65, "ü".encode(), ""])
@pytest.mark.parametrize("path", ["/functions", "/", "/nothing"])
def test_any_other_request_id_is_replaced(site, http, path, bad):
    response = http.get(site.url + path, headers={"X-Request-Id": bad})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])


# nginx's own errors

@pytest.mark.parametrize("path, limit", [("/execute/f", INVOKE_LIMIT), ("/functions", CONTROL_LIMIT)])
def test_a_body_over_the_limit_is_refused_before_it_is_read(site, http, path, limit):
    assert http.post(site.url + path, data=b"x" * limit).json()["body_bytes"] == limit
    problem = assert_problem(http.post(site.url + path, data=b"x" * (limit + 1)), 413, "payload_too_large")
    assert problem["limit"] == limit and problem["actual"] == limit + 1


def test_a_chunked_body_over_the_limit_is_refused(site, http):
    chunks = (b"x" * 10000 for _ in range(11))
    problem = assert_problem(http.post(site.url + "/execute/f", data=chunks), 413, "payload_too_large")
    assert problem["limit"] == INVOKE_LIMIT and "actual" not in problem


def test_a_lost_worker_is_a_bad_gateway(site, http):
    response = http.post(site.url + "/execute/crash", json={})
    assert_problem(response, 502, "bad_gateway")
    assert response.headers["Retry-After"] == "1"


def test_a_request_is_never_sent_twice(site, http):
    before = sum(len(lane.requests) for lane in site.lanes)
    http.get(site.url + "/execute/crash")
    assert sum(len(lane.requests) for lane in site.lanes) == before + 1


def lanes_of(site, http, paths):
    """Those that requests for these paths come through."""
    before = site.asked()
    for path in paths:
        raw_request(site, f"POST /execute/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return {i for i, asked in enumerate(site.asked()) if asked > before[i]}


def test_a_function_has_a_lane_and_functions_have_many(site, http):
    used = [lanes_of(site, http, [f"f{i}"] * 3) for i in range(20)]
    assert all(len(lanes) == 1 for lanes in used)
    assert set().union(*used) == set(range(LANES))


def spellings(uuid, count):
    """The same id in other ways, as a UUID may be written."""
    chooser = random.Random(1)
    while count:
        other = "".join(chooser.choice((c.lower(), c.upper())) for c in uuid)
        if other != uuid:
            count -= 1
            yield other


ID = "01a20883-f00e-7ac7-bafa-a8c846d26ff8"


def test_a_function_has_one_lane_however_it_is_spelt(site, http):
    spelt = ["thing", "%74hing", "thin%67", "/thing", "./thing", "x/../thing", "thing/", "thing?version=1", "thing#x"]
    assert len(lanes_of(site, http, spelt)) == 1
    assert lanes_of(site, http, spelt) == lanes_of(site, http, ["thing"])


def test_what_is_neither_a_name_nor_an_id_has_one_lane_for_all(site, http):
    assert len(lanes_of(site, http, [*spellings(ID, 50), "Thing", "thinG", "a.b", "a:b", "a%20b", "x" * 64, "x" * 65])) == 1


def test_the_limit_of_a_function_cannot_be_had_once_for_each_spelling(site):
    at_once(site, "POST", [f"/execute/{spelt}/hold" for spelt in spellings(ID, 12)], refused=12 - FUNCTION_REQUESTS)


@pytest.mark.parametrize("name, most", [("one", FUNCTION_REQUESTS), ("{}", NODE_REQUESTS)])
def test_more_requests_than_may_wait_are_refused_at_once(site, name, most):
    answers = at_once(site, "POST", [f"/execute/{name.format(i)}/hold" for i in range(12)], refused=12 - most)
    for answer in answers:
        if answer.status_code == 429:
            problem = assert_problem(answer, 429, "throttled")
            assert problem["reason"] == "queue_full"
            assert answer.headers["Retry-After"] == "1"


def test_an_answer_that_does_not_come_is_a_gateway_timeout(site, http):
    start = time.monotonic()
    assert_problem(http.post(site.url + "/execute/slow", json={}), 504, "gateway_timeout")
    assert 5 < time.monotonic() - start < 7  # 100 ms each for queue, init and function, and a margin of 5 s


def test_static_files_can_only_be_read(site, http):
    for method in ("POST", "PUT", "DELETE"):
        response = http.request(method, site.url + "/index.html")
        assert_problem(response, 405, "method_not_allowed")
        assert response.headers["Allow"] == "GET, HEAD"


def test_headers_and_request_lines_that_are_too_long(site, http):
    assert_problem(http.get(site.url + "/", headers={"X-Long": "x" * 20000}), 431, "headers_too_large")
    assert_problem(http.get(site.url + "/" + "x" * 20000), 414, "uri_too_long")


def test_what_is_not_http_is_a_problem(site):
    head, body = raw_request(site, b"nonsense\r\n\r\n")
    assert " 400 " in head.splitlines()[0]
    assert json.loads(body)["code"] == "invalid_request"


def test_problems_stay_json_whatever_the_path(site):
    head, body = raw_request(site, b'GET /a"b\\c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    assert " 404 " in head.splitlines()[0]
    assert json.loads(body)["instance"] == "/"


# Static files

def test_pages_are_asked_for_each_time_with_an_etag(site, http):
    response = http.get(site.url + "/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    again = http.get(site.url + "/index.html", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


def test_assets_are_kept_for_ever(site, http):
    response = http.get(site.url + "/assets/app.0123abcd.js")
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_nothing_outside_static_can_be_read(site):
    for path in (b"/../tls/key.pem", b"/assets/../../tls/key.pem", b"/%2e%2e/tls/key.pem"):
        head, body = raw_request(site, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert re.search(" 40[04] ", head.splitlines()[0])
        assert b"KEY" not in body


@pytest.mark.parametrize("path", ["/", "/functions", "/nothing"])
def test_security_headers_are_on_every_answer(site, http, path):
    headers = http.get(site.url + path).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "nginx"


def test_the_access_log_is_json_with_the_request_id(site, http):
    http.get(site.url + "/functions?log=me", headers={"X-Request-Id": "find-me"})
    deadline = time.monotonic() + 5
    lines = []
    while not lines and time.monotonic() < deadline:
        time.sleep(0.2)
        log = (site.dir / "log" / "access.log").read_text()
        lines = [line for line in map(json.loads, log.splitlines()) if line["request_id"] == "find-me" and "log=me" in line["uri"]]
    assert lines[0]["status"] == 200 and float(lines[0]["upstream_s"]) >= 0
