"""Only who asks for one of http.server_names gets anything, the redirect included."""

import json
import socket
import ssl

import pytest
from conftest import raw_request

OURS = ["localhost", "127.0.0.1", "[::1]", "berth.example", "BERTH.example", "berth.example."]  # the last is the full name
OTHERS = ["evil.example", "xberth.example", "sub.berth.example", "berth.example.evil.example", "127.0.0.2", "[::2]", "_"]


def plain_request(port, data):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body


def request(host, path="/functions", port=""):
    return f"POST {path} HTTP/1.1\r\nHost: {host}{port}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()


def assert_misdirected(head, body, path="/functions"):
    assert " 421 " in head.splitlines()[0]
    assert "Location:" not in head
    assert "Content-Type: application/problem+json" in head and head.count("Cache-Control: no-store") == 1
    problem = json.loads(body)
    assert (problem["status"], problem["code"], problem["instance"]) == (421, "misdirected_request", path)


@pytest.mark.parametrize("host", OURS)
def test_our_names_are_served_and_redirected_to(site, host):
    for port in ("", f":{site.https_port}", ":1"):
        head, answer = raw_request(site, request(host, port=port))
        assert " 200 " in head.splitlines()[0]
        assert f'"HTTP_HOST": "{host}{port}"'.encode() in answer
        for plain in (site.http_port, site.https_port):
            head, _ = plain_request(plain, request(host, port=port))
            assert " 308 " in head.splitlines()[0]
            assert f"Location: https://{host.lower().rstrip('.')}:{site.https_port}/functions" in head


@pytest.mark.parametrize("host", OTHERS)
def test_any_other_host_gets_nothing_but_a_problem(site, host):
    before = site.requests()
    for path in ("/functions", "/", "/assets/app.0123abcd.js"):
        assert_misdirected(*raw_request(site, request(host, path)), path)
        for port in (site.http_port, site.https_port):  # the latter: plain HTTP where TLS is spoken
            assert_misdirected(*plain_request(port, request(host, path)), path)
    assert site.requests() == before


def test_a_host_in_the_request_line_counts_more_than_the_header(site):
    head, body = raw_request(site, b"GET https://evil.example/functions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert_misdirected(head, body)
    head, _ = raw_request(site, b"GET https://localhost/functions HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert " 200 " in head.splitlines()[0]


def test_who_names_no_host_gets_nothing(site):
    assert_misdirected(*raw_request(site, b"GET /functions HTTP/1.0\r\n\r\n"))
    assert_misdirected(*plain_request(site.http_port, b"GET /functions HTTP/1.0\r\n\r\n"))


def test_the_name_in_the_handshake_counts_for_nothing(site):
    context = ssl.create_default_context(cafile=site.ca)
    context.check_hostname = False
    for name, host in (("evil.example", "localhost"), ("localhost", "evil.example"), (None, "localhost")):
        with socket.create_connection(("127.0.0.1", site.https_port), 10) as raw:
            with context.wrap_socket(raw, server_hostname=name) as connection:
                connection.sendall(request(host))
                answer = connection.recv(65536)
        assert answer.split(b" ")[1] == (b"200" if host == "localhost" else b"421")
