"""A function with network egress reaches the internet and nothing near, on both runtimes; one without reaches nothing at all."""

import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from machines import GREETING, METADATA, Outside, reach_from_here
from support import check_problem, in_background, unique, wait_for

# Tries all addresses at once: what is dropped is noticed by waiting only.
CODE = """
import errno, os, socket, ssl, struct, threading

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

def resolve(name):
    try:
        return sorted({found[4][0] for found in socket.getaddrinfo(name, 80)})
    except OSError as error:
        return str(error)

def name_of(address):
    try:
        return socket.gethostbyaddr(address)[0]
    except OSError as error:
        return str(error)

def look():
    return {
        "uid": os.getuid(),
        "interfaces": sorted(name for _, name in socket.if_nameindex()),
        "environment": dict(os.environ),
        "resolv.conf": open("/etc/resolv.conf").read(),
        "certificates": len(ssl.create_default_context().get_ca_certs()),
    }

def handler(event, context):
    if "listen" in event:
        return listen(event["listen"], event["seconds"])
    if "resolve" in event:
        return resolve(event["resolve"])
    if "name_of" in event:
        return name_of(event["name_of"])
    if event.get("address"):
        return address()
    if event.get("look"):
        return look()
    results = {}
    threads = [threading.Thread(target=reach, args=[host, event["port"], results]) for host in event["hosts"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
"""
JAVASCRIPT = """
const dns = require("dns/promises"), tls = require("tls");
exports.handler = async event => event.resolve
    ? (await dns.lookup(event.resolve)).address
    : { file: process.env.NODE_EXTRA_CA_CERTS, text: require("fs").readFileSync(process.env.NODE_EXTRA_CA_CERTS, "utf8") };
"""


@pytest.fixture(scope="module")
def outside():
    outside = Outside()
    try:
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


@pytest.fixture(scope="module")
def functions(deploy_once):
    """One on each runtime."""
    return {
        runtime: deploy_once(CODE, runtime=runtime, network="egress", timeout_ms=10000) for runtime in ("docker", "gvisor")
    }


@pytest.fixture
def function(functions, runtime):
    return functions[runtime]


def new_shape():
    """Settings that no function had before, so that there are no sandboxes for them yet."""
    return {"network": "egress", "tmp_inodes": random.randrange(1000, 16000)}


def reach(api, function, hosts, port):
    return api.output(function, {"hosts": list(hosts), "port": port})


def egress(stack, command):
    """scripts/egress of this stack: exit code and what it says."""
    script = Path(stack.option("prefix")) / "libexec/berth/scripts/egress"
    done = subprocess.run([script, command, "--instance", stack.instance], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_a_public_address_is_reached(api, function, outside):
    assert reach(api, function, [outside.public], outside.port) == {outside.public: GREETING}


def test_private_and_link_local_addresses_are_not_reached(api, function, outside):
    assert outside.private in outside.near
    there = reach_from_here(*[(address, outside.port) for address in outside.near])
    assert set(there.values()) == {GREETING}
    found = reach(api, function, [outside.private, METADATA], outside.port)
    # Told at once, instead of a wait for nothing.
    assert set(found.values()) == {"EHOSTUNREACH"}, found


@pytest.mark.alone
def test_the_host_is_not_reached_by_any_of_its_addresses(api, function, host_server, outside, stack):
    addresses = host_addresses()
    assert {outside.host, "127.0.0.1"} < addresses
    assert set(reach_from_here(*[(address, host_server) for address in addresses]).values()) == {GREETING}

    # An address that the host has only just got is shut when its rules were looked at again.
    def is_shut():
        found = reach(api, function, addresses, host_server)
        assert set(found) == addresses
        return GREETING not in found.values()

    wait_for("all addresses to be shut", is_shut, 30)
    # Berth itself, and what else listens on the host.
    assert set(reach(api, function, addresses, stack.port).values()) <= {"ECONNREFUSED", "EHOSTUNREACH"}


def test_another_sandbox_is_not_reached(api, deploy, function, runtime):
    other = deploy(CODE, runtime=runtime, network="egress", timeout_ms=10000)
    address, own = api.output(other, {"address": True}), api.output(function, {"address": True})
    assert address != own
    listening = in_background(lambda: api.execute(other, {"listen": 8000, "seconds": 3}))
    wait_for("it to run", lambda: api.get("/readyz").json()["pool"]["sandboxes"]["leased"] > 0)
    assert reach(api, function, [address], 8000)[address] == "EHOSTUNREACH"
    assert listening().output == "not reached"


def test_a_sandbox_has_an_interface_of_its_own_and_nothing_of_the_hosts(api, function, stack):
    """In particular under gVisor, whose system calls for the network are made by the host's kernel, in the sandbox's namespace."""
    found = api.output(function, {"look": True})
    assert found["interfaces"] == ["eth0", "lo"]
    assert not [name for name in found["environment"] if "EGRESS" in name]
    pid = stack.container_of_user(found["uid"])["State"]["Pid"]
    assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    members = stack.cgroup_of_user(found["uid"]).pids()
    assert {os.readlink(f"/proc/{member}/ns/net") for member in members}.isdisjoint({os.readlink("/proc/self/ns/net")}), members


def test_there_is_no_way_out_by_ipv6(api, deploy, runtime):
    code = "def handler(event, context):\n    return [line.split() for line in open('/proc/net/if_inet6')]\n"
    interfaces = api.output(deploy(code, runtime=runtime, network="egress"))
    assert [fields for fields in interfaces if fields[5] != "lo"] == []


def test_without_egress_nothing_is_reached(api, deploy, host_server, outside, runtime):
    function = deploy(CODE, runtime=runtime, timeout_ms=10000)
    assert function["network"] == "none"
    hosts = [outside.public, outside.private, METADATA, *host_addresses()]
    found = reach(api, function, hosts, outside.port) | reach(api, function, host_addresses(), host_server)
    assert set(found.values()) <= {"ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED"}, found


def test_a_sandbox_with_a_network_is_as_hardened_as_the_others(api, function, stack):
    config = stack.container_of_user(api.output(function, {"look": True})["uid"])["HostConfig"]
    assert config["NetworkMode"] == "none"
    assert config["CapDrop"] == ["ALL"] and config["ReadonlyRootfs"] and not config["Privileged"]
    assert not config["PortBindings"] and not config["PublishAllPorts"]


# Names


def test_its_own_host_name_leads_to_itself(api, deploy, runtime):
    code = "import socket\ndef handler(event, context):\n    return socket.gethostbyname(socket.gethostname())\n"
    assert api.output(deploy(code, runtime=runtime, network="egress")) == "127.0.0.1"


def test_names_are_resolved_by_a_private_name_server_and_changes_are_followed(api, functions, deploy, outside, reload, tmp_path):
    outside.resolve(outside.private, "far.example", "11.22.33.44")
    outside.resolve(outside.other_private, "far.example", "11.22.33.55")
    tmp_path.chmod(0o755)
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"search example.org\nnameserver {outside.private}\n")
    script = deploy(JAVASCRIPT, language="javascript", runtime="docker", network="egress")
    reload(f"egress.resolv_conf={resolv_conf}")
    for function in functions.values():
        assert api.output(function, {"resolve": "far.example"}) == ["11.22.33.44"]
        assert "Name or service not known" in api.output(function, {"resolve": "near.example"})
        assert reach(api, function, [outside.private], outside.port) == {outside.private: "EHOSTUNREACH"}
    assert api.output(script, {"resolve": "far.example"}) == "11.22.33.44"
    resolv_conf.write_text(f"nameserver {outside.other_private}\n")
    for function in functions.values():
        wait_for("the other one to be asked", lambda f=function: api.output(f, {"resolve": "far.example"}) == ["11.22.33.55"], 30)


def test_nobody_tells_a_sandbox_of_others_by_their_addresses(api, deploy, function, outside, reload, runtime, tmp_path):
    questions = outside.resolve(outside.private, "far.example", "11.22.33.44")
    tmp_path.chmod(0o755)
    (tmp_path / "resolv.conf").write_text(f"nameserver {outside.private}\n")
    reload(f"egress.resolv_conf={tmp_path / 'resolv.conf'}")
    other = deploy(CODE, runtime=runtime, network="egress", timeout_ms=10000)
    address = api.output(other, {"address": True})
    assert "host" in api.output(function, {"name_of": address}).lower()  # "Unknown host" or "Host name lookup failure"
    # Whom it asked is the host's name server, which knows nothing of sandboxes, and not Docker Engine's, which would.
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa 12"
    assert reverse in questions.read_text()
    assert reach(api, function, ["127.0.0.11"], 53) == {"127.0.0.11": "ECONNREFUSED"}


def test_a_sandbox_is_not_told_what_the_hosts_names_end_in(api, function):
    found = api.output(function, {"look": True})["resolv.conf"].split("\n")
    assert [line for line in found if line.startswith("nameserver")] == [f"nameserver 198.18.0.{n}" for n in (1, 2, 3)]
    assert not [line for line in found if line.startswith("search") and line.split()[1:] != ["."]]


# Settings


def test_what_is_allowed_is_reached_and_no_longer_when_it_is_not_allowed_any_more(api, function, outside, reload):
    reload(f"egress.allow={outside.private}:{outside.port}")
    assert reach(api, function, [outside.private], outside.port) == {outside.private: GREETING}
    assert reach(api, function, [outside.private], outside.other_port) == {outside.private: "EHOSTUNREACH"}
    reload("egress.allow=")
    assert reach(api, function, [outside.private], outside.port) == {outside.private: "EHOSTUNREACH"}


def test_mail_servers_are_not_reached_unless_the_setting_says_so(api, function, outside, reload):
    assert reach(api, function, [outside.public], 25) == {outside.public: "EHOSTUNREACH"}
    reload("egress.deny_ports=26")
    assert reach(api, function, [outside.public], 25) == {outside.public: "ECONNREFUSED"}  # nobody listens there
    assert reach(api, function, [outside.public], 26) == {outside.public: "EHOSTUNREACH"}


@pytest.mark.parametrize("command", ["up", "reload", "upgrade"])
def test_a_setting_of_the_network_that_is_none_is_refused_with_the_reason_and_not_kept(api, stack, command):
    def kept():
        return {name: (stack.dir / name).read_text() for name in ("options", "berth.conf")}

    before = kept()
    try:
        refused = stack.run(command, "--set", "egress.allow=database.example", check=False)
        assert refused.returncode == 1 and "egress.allow: 'database.example'" in refused.stderr
        assert kept() == before and not (stack.dir / "berth.conf.new").exists()
    finally:
        if kept() != before:
            stack.run("up", "--set", "egress.allow=")
    assert api.get("/readyz").json()["pool"]["egress"]["available"]


def test_the_ca_file_is_what_functions_with_egress_trust(api, deploy, reload, tmp_path, stack, runtime):
    certificate = Path(stack.ca).read_text()
    tmp_path.chmod(0o755)
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(certificate)
    reload(f"sandbox.ca_file={bundle}")
    new = new_shape() | {"runtime": runtime, "timeout_ms": 10000}
    found = api.output(deploy(CODE, **new), {"look": True})
    assert found["certificates"] == 1
    path = found["environment"]["SSL_CERT_FILE"]
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_CAFILE"):
        assert found["environment"][name] == path
    script = deploy(JAVASCRIPT, language="javascript", **new)
    assert api.output(script, {}) == {"file": path, "text": certificate}
    # Those without a network have no use for it.
    found = api.output(deploy(CODE, **new | {"network": "none"}), {"look": True})
    assert found["certificates"] != 1 and "SSL_CERT_FILE" not in found["environment"]


def test_a_ca_file_that_is_not_there_is_told(api, deploy, reload, stack):
    reload("sandbox.ca_file=/nonexistent/bundle.pem")
    mark = stack.log_mark()
    body = {"name": unique("no-bundle"), "language": "python", "code": CODE, "runtime": "docker"}
    answer = api.post("/functions", json=body | new_shape())
    assert "bind source path does not exist" in check_problem(answer, 503, "runtime_unavailable")["detail"]
    assert "/nonexistent/bundle.pem" in stack.log_since(mark)  # which one it is, for the operator


# When it does not work


def test_ready_says_whether_egress_is_there(api):
    assert api.get("/readyz").json()["pool"]["egress"] == {"available": True, "detail": ""}


@pytest.fixture
def nobody_watches(stack, api):
    """Whoever watches over the rules is stopped for a while."""
    pid = int((stack.dir / "pids" / "egress").read_text().split()[0])

    def is_stopped_between_two_changes():
        os.kill(pid, signal.SIGSTOP)
        with open("/run/berth-egress/lock") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        os.kill(pid, signal.SIGCONT)

    wait_for("a moment when it changes nothing", is_stopped_between_two_changes, 30)
    yield
    os.kill(pid, signal.SIGCONT)
    wait_for("the network to be there again", lambda: api.get("/readyz").json()["pool"]["egress"]["available"], 40)


def gateway(stack, *command):
    subprocess.run(["ip", "netns", "exec", f"berth-{stack.instance}", *command], check=True, capture_output=True, timeout=20)


def test_without_its_rules_the_network_reaches_nothing_and_calls_are_refused_with_the_reason(
    api, functions, deploy, outside, stack, nobody_watches
):
    for function in functions.values():
        api.output(function, {"address": True})
    gateway(stack, "iptables", "-F")
    gateway(stack, "iptables", "-t", "nat", "-F")
    # Those that run reach nothing, at once.
    for function in functions.values():
        hosts = [outside.public, outside.private, METADATA, outside.host]
        assert set(reach(api, function, hosts, outside.port).values()).isdisjoint({GREETING})
    code, said = egress(stack, "status")
    assert code == 3 and "its rules are not there" in said, said
    # No sandbox is made, as long as nobody has said that they are missing and when nobody says anything any more.
    fresh = {"name": unique("fresh"), "language": "python", "code": CODE} | new_shape()
    for runtime in functions:
        refused = check_problem(api.post("/functions", json=fresh | {"runtime": runtime}), 503, "runtime_unavailable")
        assert "its rules are not there" in refused["detail"] or "are not watched" in refused["detail"]
    told = wait_for("it to be told", lambda: not (e := api.get("/readyz").json()["pool"]["egress"])["available"] and e, 40)
    assert "are not watched" in told["detail"]
    # What has the network is no more, and whoever calls hears why.
    for function in functions.values():
        refused = check_problem(api.execute(function, {"address": True}), 503, "runtime_unavailable")
        assert refused["detail"] == told["detail"]
    # Others go on.
    assert api.output(deploy("def handler(event, context):\n    return 1\n", runtime="docker")) == 1


def test_what_was_removed_is_put_back_by_itself(api, function, outside, stack):
    mark = stack.log_mark("egress")
    gateway(stack, "sh", "-c", "iptables -P FORWARD ACCEPT; iptables -F; iptables -X")
    wait_for("it to be noticed", lambda: "its rules are not there: put right" in stack.log_since(mark, "egress"), 30)
    assert egress(stack, "status")[0] == 0

    def is_back():
        answer = api.execute(function, {"hosts": [outside.public, outside.private], "port": outside.port})
        return answer.status_code == 200 and answer.json()["output"] == {outside.public: GREETING, outside.private: "EHOSTUNREACH"}

    wait_for("calls to go on", is_back, 30)


def test_a_network_that_was_taken_down_is_told_and_stack_up_brings_it_back(api, function, outside, stack):
    pid = int((stack.dir / "pids" / "egress").read_text().split()[0])
    os.kill(pid, signal.SIGTERM)
    assert egress(stack, "down")[0] == 0
    told = wait_for("it to be told", lambda: not (e := api.get("/readyz").json()["pool"]["egress"])["available"] and e, 10)
    assert "scripts/egress up" in told["detail"]
    refused = check_problem(api.execute(function, {"address": True}), 503, "runtime_unavailable")
    assert refused["detail"] == told["detail"]
    stack.run("up")
    wait_for("it to be there", lambda: api.get("/readyz").json()["pool"]["egress"]["available"], 20)
    assert reach(api, function, [outside.public], outside.port) == {outside.public: GREETING}


@pytest.mark.parametrize("command", ["up", "reload"])
def test_a_network_that_cannot_be_made_stops_neither_the_platform_nor_other_functions(
    api, functions, deploy, outside, stack, command
):
    """Something that is no network namespace stands in the way of this stack's."""
    os.kill(int((stack.dir / "pids" / "egress").read_text().split()[0]), signal.SIGTERM)
    assert egress(stack, "down")[0] == 0
    in_the_way = Path(f"/run/netns/berth-{stack.instance}")
    in_the_way.touch(exist_ok=False)
    try:
        done = stack.run(command, check=False)
        assert done.returncode == 0, done.stderr
        assert "its rules are not there" in done.stderr and "the network for egress does not work" in done.stderr
        assert api.get("/readyz").status_code == 200
        told = wait_for("it to be told", lambda: not (e := api.get("/readyz").json()["pool"]["egress"])["available"] and e, 10)
        for one in functions.values():
            assert check_problem(api.execute(one, {"address": True}), 503, "runtime_unavailable")["detail"] == told["detail"]
        assert api.output(deploy("def handler(event, context):\n    return 1\n", runtime="docker")) == 1
    finally:
        in_the_way.unlink()
        stack.run("up")
    wait_for("it to be there", lambda: api.get("/readyz").json()["pool"]["egress"]["available"], 20)
    for one in functions.values():
        assert reach(api, one, [outside.public], outside.port) == {outside.public: GREETING}


def test_who_watches_has_few_of_roots_capabilities(stack):
    pid = int((stack.dir / "pids" / "egress").read_text().split()[0])
    status = Path(f"/proc/{pid}/status").read_text()
    (bounding,) = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd")]
    (effective,) = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff")]
    assert bounding == effective == 1 << 12 | 1 << 13 | 1 << 21  # NET_ADMIN, NET_RAW, SYS_ADMIN
    assert "NoNewPrivs:\t1" in status
