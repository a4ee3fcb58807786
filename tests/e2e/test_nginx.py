"""nginx in front of the real platform; tests/nginx has the details."""

import json
import socket
import ssl
import subprocess

import pytest
import requests
from support import check_problem, in_background, wait_for


def handshake(stack, lowest, highest, alpn=()):
    context = ssl.create_default_context(cafile=stack.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = lowest, highest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    with socket.create_connection(("127.0.0.1", stack.port), 10) as connection:
        with context.wrap_socket(connection, server_hostname="localhost") as tls:
            return tls.version(), tls.selected_alpn_protocol()


@pytest.mark.parametrize("version, name", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_tls_1_2_and_1_3_are_spoken(stack, version, name):
    assert handshake(stack, version, version)[0] == name


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_refused(stack, version):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(stack, version, version)


def test_http_2_is_spoken_and_http_1_1_too(stack, deploy):
    lowest, highest = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    assert handshake(stack, lowest, highest, ["h2", "http/1.1"])[1] == "h2"
    assert handshake(stack, lowest, highest, ["http/1.1"])[1] == "http/1.1"
    function = deploy("def handler(event, context):\n    return event\n")
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--http2", "--cacert", stack.ca, "-w", " %{http_version}", "-d", '{"input": 7}',
         "-H", "Content-Type: application/json", f"{stack.url}/execute/{function['name']}"],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert done.stdout == '{"output":7} 2'


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.2"])
def test_only_our_own_host_is_served_and_redirected_to(api, stack, host):
    for path in ("/", "/functions", "/execute/x", "/healthz"):
        check_problem(api.get(path, headers={"Host": host}), 421, "misdirected_request")
        answer = requests.get(f"http://127.0.0.1:{stack.http_port}{path}", headers={"Host": host}, allow_redirects=False, timeout=10)
        assert answer.status_code == 421 and "Location" not in answer.headers
    assert api.get("/healthz", headers={"Host": "localhost"}).status_code == 200


def test_plain_http_is_redirected(stack):
    for path in ("/", "/functions?limit=1", "/execute/x"):
        answer = requests.post(f"http://127.0.0.1:{stack.http_port}{path}", allow_redirects=False, timeout=10)
        assert answer.status_code == 308
        assert answer.headers["Location"] == f"{stack.url}{path}"


def test_plain_http_on_the_https_port_is_redirected(stack):
    answer = requests.get(f"http://127.0.0.1:{stack.port}/readyz", allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"{stack.url}/readyz")


def test_it_listens_on_loopback_only(stack):
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout.split("\n")
    addresses = {line.split()[3].rpartition(":") for line in listening if line}
    ours = {host for host, _, port in addresses if int(port) in (stack.port, stack.http_port)}
    assert ours and ours <= {"127.0.0.1", "[::1]"}


def test_the_page_is_kept_and_asked_for_each_time(api):
    answer = api.get("/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Berth" in answer.text
    assert answer.headers["Cache-Control"] == "no-cache"
    again = api.get("/", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_what_the_platform_answers_is_never_stored(api):
    for path in ("/healthz", "/readyz", "/functions", "/functions/none", "/none"):
        assert api.get(path).headers["Cache-Control"] == "no-store", path


def test_health_and_readiness_say_what_is_what(api):
    assert api.get("/healthz").json() == {"status": "ok"}
    ready = api.get("/readyz").json()
    assert ready["status"] == "ready"
    assert {name: check["status"] for name, check in ready["checks"].items()} == {
        "database": "ok",
        "poolmgr": "ok",
        "docker": "ok",
        "runtime": "ok",
        "images": "ok",
        "processes": "ok",
    }


def test_an_error_of_nginx_is_a_problem_too(api):
    problem = check_problem(api.get("/nothing/here"), 404, "not_found")
    assert problem["instance"] == "/nothing/here"
    check_problem(api.post("/index.html"), 405, "method_not_allowed")


# As a browser sends what a page asks for: a Blob without a type, or a form, has a body that no other site is asked about.
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "https://127.0.0.1"},  # another port is another origin
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
TYPES = [{}, {"Content-Type": "text/plain"}, {"Content-Type": ";text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
         {"Content-Type": "multipart/form-data; boundary=x"}, {"Content-Type": "text/plain; application/json"}]  # fmt: skip
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def unchanged(api, database, deploy):
    """A function that nothing may change or run; (method, path, body) of all that would."""
    function = deploy("def handler(event, context):\n    return 1\n")
    runs = "select count(*) from metrics where function_id = :'id'"
    before = database.counts(), database.value(runs, id=function["id"])
    other = json.dumps({"name": "cross-site", "language": "python", "code": "def handler(e, c): pass"}).encode()
    yield [
        ("POST", "/functions", other),
        ("PUT", f"/functions/{function['id']}", b'{"timeout_ms": 100}'),
        ("DELETE", f"/functions/{function['id']}", b""),
        ("POST", f"/execute/{function['name']}", b"{}"),
        ("POST", f"/execute/{function['name']}", b""),
    ]
    marker = api.execute(function).headers["Berth-Invocation-Id"]  # recorded after whatever came before it
    database.metric(marker)
    assert (database.counts(), database.value(runs, id=function["id"])) == (before[0], before[1] + 1)


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
def test_no_page_of_another_site_changes_or_runs_anything(api, unchanged, foreign):
    for method, path, body in unchanged:
        for headers in (foreign, foreign | JSON, foreign | {"Content-Type": "text/plain"}):
            check_problem(api.raw(method, path, body, headers), 403, "cross_site")
    assert api.get("/functions", headers=foreign).status_code == 200  # that page cannot read it


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_a_body_that_does_not_say_it_is_json_is_refused(api, unchanged, type_):
    for method, path, body in unchanged:
        if body:
            check_problem(api.raw(method, path, body, type_), 415, "unsupported_media_type")
            check_problem(api.raw(method, path, iter([body]), type_), 415, "unsupported_media_type")  # chunked


def test_our_own_page_and_programs_may_do_everything(api, stack, deploy):
    function = deploy("def handler(event, context):\n    return event\n")
    for headers in ({"Origin": stack.url, "Sec-Fetch-Site": "same-origin"}, {"Origin": stack.url}, {"Sec-Fetch-Site": "none"}, {}):
        for type_ in ("application/json", "application/json;charset=utf-8", "Application/JSON ; charset=UTF-8"):
            answer = api.raw("POST", f"/execute/{function['id']}", b'{"input": 1}', headers | {"Content-Type": type_})
            assert (answer.status_code, answer.text) == (200, '{"output":1}')
        assert api.raw("POST", f"/execute/{function['id']}", b"", headers).status_code == 200  # no body, no type


def test_who_called_is_an_address_whatever_the_client_says(api, stack, database, deploy):
    function = deploy("def handler(event, context):\n    return None\n")
    users = ["admin:x", "\x1b[31madmin:x", ":", "a" * 200 + ":x"]
    for user in users:
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--cacert", stack.ca, "-u", user, "-H", "Remote-User: admin", "-H", "X-Forwarded-For: 192.0.2.1",
             "-H", "REMOTE_USER: admin", "-X", "POST", f"{stack.url}/execute/{function['id']}"],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        assert done.stdout == '{"output":null}'
    query = "select caller from metrics where function_id = :'id'"
    wait_for("all to be recorded", lambda: len(database.rows(query, id=function["id"])) == len(users))
    assert {row["caller"] for row in database.rows(query, id=function["id"])} == {"127.0.0.1"}


def test_one_client_has_a_bound_for_everything_it_may_have_under_way(api, deploy, reload):
    function = deploy("import time\ndef handler(event, context):\n    time.sleep(event)\n    print('done')\n", timeout_ms=60000)
    api.wait_for_rest()
    reload("client.max_requests=1", "client.max_follows=1", "client.max_bodies=1")
    place = api.get(f"/functions/{function['id']}/logs").json()["next"]
    follow = f"/functions/{function['id']}/logs?after={place}&wait_s="

    def refused(ask):
        answer = ask()
        return answer.status_code == 429 and check_problem(answer, 429, "throttled")

    # The follower is told when what runs has ended.
    running, following = in_background(lambda: api.execute(function, 12)), in_background(lambda: api.get(follow + "60"))
    wait_for("it to run", lambda: api.leased())
    wait_for("it to follow", lambda: api.get("/metrics/system").json()["processes"]["follow"]["busy"] == 1)
    problem = wait_for("a second invocation to be refused", lambda: refused(lambda: api.execute(function, 0)))
    assert problem["reason"] == "queue_full" and "from this address (1," in problem["detail"]
    problem = wait_for("a second follower to be refused", lambda: refused(lambda: api.get(follow + "0")))
    assert problem["reason"] == "too_many_follow"
    assert api.get("/healthz").status_code == api.get("/functions").status_code == 200
    assert running().status == 200 and following().status == 200


def test_a_storm_of_invocations_leaves_the_api_alone(api, deploy, reload):
    function = deploy("import time\ndef handler(event, context):\n    time.sleep(event)\n", timeout_ms=10000)
    reload("invoke.min_spare=1", "invoke.max_workers=1")
    api.wait_for_rest()
    calls = [in_background(lambda: api.execute(function, 1)) for _ in range(3)]
    wait_for("one to run", lambda: api.leased())
    answer = api.get(f"/functions/{function['id']}")
    assert (answer.status_code, answer.elapsed.total_seconds() < 1) == (200, True)
    assert [call().status for call in calls] == [200] * 3


def test_code_at_its_limit_is_accepted_however_json_writes_it(api, deploy, stack):
    """Every character as \\u00XX makes a body six times as long as the code."""
    limit = int(stack.settings()["limits.code_bytes"])
    code = "def handler(event, context):\n    return 'ran'\n#"
    code += "x" * (limit - len(code))
    name = deploy("def handler(event, context):\n    return 'old'\n")["name"]

    def put(code):
        escaped = "".join(f"\\u{ord(character):04x}" for character in code)
        body = f'{{"code":"{escaped}"}}'
        return api.raw("PUT", f"/functions/{name}", body.encode(), {"Content-Type": "application/json"})

    accepted = put(code)
    assert accepted.status_code == 200, accepted.text[:300]
    assert api.output(name) == "ran"
    check_problem(put(code + "x"), 422, "invalid_function")


def test_what_the_function_said_is_not_changed_by_nginx(api, deploy):
    function = deploy("def handler(event, context):\n    raise ValueError('mine')\n")
    problem = check_problem(api.execute(function), 502, "function_error")
    assert problem["error"]["message"] == "mine"
