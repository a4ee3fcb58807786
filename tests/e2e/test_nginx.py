"""nginx in front of the real platform; tests/nginx has the details."""

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
        "processes": "ok",
    }


def test_an_error_of_nginx_is_a_problem_too(api):
    problem = check_problem(api.get("/nothing/here"), 404, "not_found")
    assert problem["instance"] == "/nothing/here"
    check_problem(api.post("/index.html"), 405, "method_not_allowed")


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
