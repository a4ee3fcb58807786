"""What nobody waits for any more is not begun."""

import socket
import ssl
import threading
from urllib.parse import urlsplit

from support import wait_for

CODE = """
import time

calls = 0

def handler(event, context):
    global calls
    calls += 1
    time.sleep(event)
    return calls
"""
CLIENTS = 6


class Client:
    """Asks, and can leave without an answer, as a program does that is ended or has waited long enough."""

    def __init__(self, stack, name, body):
        url = urlsplit(stack.url)
        context = ssl.create_default_context(cafile=stack.ca)
        plain = socket.create_connection((url.hostname, url.port))
        self.socket = context.wrap_socket(plain, server_hostname=url.hostname)
        self.socket.sendall(
            f"POST /execute/{name} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    def leave(self):
        self.socket.close()


def waiting(api):
    return api.get("/readyz").json()["pool"]["waiting"]


def withdrawn(api):
    return api.get("/metrics/system").json()["pool"]["counters"]["denials"]["withdrawn"]


def test_six_calls_whose_clients_have_left_hold_up_nobody(stack, api, deploy, database, runtime):
    function = deploy(CODE, runtime=runtime, max_concurrency=1, timeout_ms=20000)
    assert api.output(function, 0) == 1
    before = withdrawn(api)
    running = threading.Thread(target=api.output, args=(function, 4))
    running.start()
    wait_for("the call that is running", lambda: api.leased() == 1)
    clients = [Client(stack, function["name"], '{"input": 20}') for _ in range(CLIENTS)]
    wait_for("the calls to wait", lambda: waiting(api) > 0)
    for client in clients:
        client.leave()
    assert api.output(function, 0) == 3
    running.join()
    # Some had not even been taken by a worker: at most as many as wait in one lane are in poolmgr's queue.
    assert 0 < withdrawn(api) - before <= CLIENTS
    wait_for("the records", lambda: len(database.stored(function["id"])) == 3)
