"""A function with network egress reaches the internet and nothing near; one without reaches nothing at all."""

import contextlib
import json
import os
import random
import socket
import subprocess
import threading

import pytest
from support import check_problem, in_background, unique, wait_for

# Tries all addresses at once: what is dropped is noticed by waiting only.
CODE = """
import errno, os, socket, threading, time

def reach(host, port, results):
    try:
        with socket.create_connection((host, port), 1.5) as s:
            results[host] = s.recv(100).decode()
    except OSError as error:
        results[host] = errno.errorcode.get(error.errno, type(error).__name__)

def address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("8.8.8.8", 53))
        return s.getsockname()[0]

def listen(port, seconds):
    with socket.create_server(("0.0.0.0", port)) as server:
        server.settimeout(seconds)
        try:
            server.accept()
            return "reached"
        except TimeoutError:
            return "not reached"

def handler(event, context):
    if "listen" in event:
        return listen(event["listen"], event["seconds"])
    if event.get("address"):
        return address()
    results = {}
    threads = [threading.Thread(target=reach, args=[host, event["port"], results]) for host in event["hosts"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
"""
GREETING = "hello"
METADATA = "169.254.169.254"


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True, timeout=20)


class Outside:
    """
    A network namespace in the place of the internet, joined to the host by a link, with a server. It has an address that looks
    public, one that is private and the one where clouds keep their secrets.
    """

    def __init__(self):
        number = random.randrange(64, 192)  # another stack's tests may run
        self.name = f"berth-{os.getpid()}"
        self.link = f"bt{os.getpid()}"
        self.host, self.public = f"11.22.{number}.1", f"11.22.{number}.2"
        self.private = f"10.99.{number}.2"
        self.near = []
        self.port = self.server = None

    def open(self):
        ip("netns", "add", self.name)
        ip("link", "add", self.link, "type", "veth", "peer", "name", f"{self.link}n", "netns", self.name)
        ip("addr", "add", f"{self.host}/24", "dev", self.link)
        ip("link", "set", self.link, "up")
        inside = ("-n", self.name)
        ip(*inside, "link", "set", "lo", "up")
        ip(*inside, "addr", "add", f"{self.public}/24", "dev", f"{self.link}n")
        ip(*inside, "link", "set", f"{self.link}n", "up")
        ip(*inside, "route", "add", "default", "via", self.host)
        for address in (self.private, METADATA):
            ip(*inside, "addr", "add", f"{address}/32", "dev", "lo")
            with contextlib.suppress(subprocess.CalledProcessError):  # this machine has a use for the address
                ip("route", "add", f"{address}/32", "via", self.public)
                self.near.append(address)
        code = (
            "import socket\ns = socket.create_server(('0.0.0.0', 0))\nprint(s.getsockname()[1], flush=True)\n"
            f"while True:\n    c, _ = s.accept()\n    c.sendall(b'{GREETING}')\n    c.close()\n"
        )
        self.server = subprocess.Popen(
            ["ip", "netns", "exec", self.name, "/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.server.stdout.readline())

    def close(self):
        if self.server:
            self.server.kill()
            self.server.wait()
        for command in (["link", "del", self.link], ["netns", "del", self.name]):  # and with them addresses and routes
            subprocess.run(["ip", *command], capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def outside():
    outside = Outside()
    try:
        outside.open()
        yield outside
    finally:
        outside.close()


@pytest.fixture(scope="module")
def host_server():
    """A server on the host, at all of its addresses; yields its port."""
    server = socket.create_server(("0.0.0.0", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                connection.sendall(GREETING.encode())

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def host_addresses():
    shown = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    return {address["local"] for link in json.loads(shown) for address in link["addr_info"]}


def from_host(address, port):
    with socket.create_connection((address, port), 2) as connection:
        return connection.recv(100).decode()


@pytest.fixture(scope="module")
def function(deploy_once):
    return deploy_once(CODE, runtime="docker", network="egress", timeout_ms=10000)


def reach(api, function, hosts, port):
    return api.output(function, {"hosts": list(hosts), "port": port})


def test_a_public_address_is_reached(api, function, outside):
    assert reach(api, function, [outside.public], outside.port) == {outside.public: GREETING}


def test_private_and_link_local_addresses_are_not_reached(api, function, outside):
    assert outside.private in outside.near
    assert {from_host(address, outside.port) for address in outside.near} == {GREETING}  # they are there
    found = reach(api, function, [outside.private, METADATA], outside.port)
    assert GREETING not in found.values()
    # Told at once, instead of a wait for nothing.
    assert set(found.values()) <= {"EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "EACCES"}, found


def test_the_host_is_not_reached_by_any_of_its_addresses(api, function, host_server, outside, stack):
    gateway = stack.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", f"berth-{stack.instance}").strip()
    addresses = host_addresses()
    assert {gateway, outside.host, "127.0.0.1"} <= addresses
    assert {from_host(address, host_server) for address in addresses} == {GREETING}
    found = reach(api, function, addresses, host_server)
    assert set(found) == addresses
    assert GREETING not in found.values(), found
    # Berth itself, and what else listens on the host.
    assert set(reach(api, function, addresses, stack.port).values()) <= {"ECONNREFUSED", "TimeoutError"}


def test_another_sandbox_is_not_reached(api, deploy, function, stack):
    other = deploy(CODE, runtime="docker", network="egress", timeout_ms=10000)
    address, own = api.output(other, {"address": True}), api.output(function, {"address": True})
    assert address != own
    listening = in_background(lambda: api.execute(other, {"listen": 8000, "seconds": 3}))
    wait_for("it to listen", lambda: listens(stack, address, 8000))
    assert reach(api, function, [address], 8000)[address] in ("TimeoutError", "EHOSTUNREACH", "EACCES")
    assert listening().output == "not reached"


def listens(stack, address, port):
    """Does that sandbox? Seen in its table of sockets: a connection from the host would be one that reached it."""
    for container in stack.inspect_all():
        if any(network["IPAddress"] == address for network in container["NetworkSettings"]["Networks"].values()):
            with open(f"/proc/{container['State']['Pid']}/net/tcp") as table:
                return f":{port:04X} 00000000:0000 0A" in table.read()
    return False


def test_there_is_no_way_out_by_ipv6(api, deploy):
    code = "def handler(event, context):\n    return [line.split() for line in open('/proc/net/if_inet6')]\n"
    interfaces = api.output(deploy(code, runtime="docker", network="egress"))
    assert [fields for fields in interfaces if fields[3] == "00"] == []  # scope: global


@pytest.mark.parametrize("runtime", ["docker", "gvisor"])
def test_without_egress_nothing_is_reached(api, deploy, host_server, outside, runtime):
    function = deploy(CODE, runtime=runtime, timeout_ms=10000)
    assert function["network"] == "none"
    hosts = [outside.public, outside.private, METADATA, *host_addresses()]
    found = reach(api, function, hosts, outside.port) | reach(api, function, host_addresses(), host_server)
    assert set(found.values()) <= {"ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED"}, found


def test_gvisor_cannot_have_a_network_and_says_why(api, database, deploy):
    before = database.counts()
    body = {"name": unique("refused"), "language": "python", "code": CODE, "network": "egress", "runtime": "gvisor"}
    (error,) = check_problem(api.post("/functions", json=body), 422, "invalid_function")["errors"]
    assert error["field"] == "network"
    assert "docker" in error["message"]
    assert database.counts() == before
    function = deploy(CODE, runtime="docker", network="egress")
    changed = api.put(f"/functions/{function['id']}", json={"runtime": "gvisor"})
    (error,) = check_problem(changed, 422, "invalid_function")["errors"]
    assert error["field"] == "network"


def test_a_sandbox_with_a_network_is_as_hardened_as_the_others(api, function, stack):
    network = f"berth-{stack.instance}"
    address = api.output(function, {"address": True})
    (config,) = [
        container["HostConfig"]
        for container in stack.inspect_all()
        if container["NetworkSettings"]["Networks"].get(network, {}).get("IPAddress") == address
    ]
    assert config["NetworkMode"] == network
    assert config["CapDrop"] == ["ALL"] and config["ReadonlyRootfs"] and not config["Privileged"]
    assert not config["PortBindings"] and not config["PublishAllPorts"]


def test_ready_says_whether_egress_is_there(api):
    assert api.get("/readyz").json()["pool"]["egress"] is True
