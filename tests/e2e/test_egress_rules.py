"""What the network for egress lets through, whatever is done to the firewall of its machine: one made of network namespaces."""

import json
import os
import time
from pathlib import Path

import pytest
from machines import GREETING, METADATA, PYTHON, Machine, run
from support import wait_for

REFUSED = {"EHOSTUNREACH", "ENETUNREACH", "EACCES", "ECONNREFUSED"}


@pytest.fixture
def machine(stack, tmp_path):
    prefix = Path(stack.option("prefix"))
    tmp_path.chmod(0o755)
    machine = Machine(prefix / "libexec/berth/scripts/egress", prefix / "sbin/berthd", tmp_path)
    try:
        machine.up()
        yield machine
    finally:
        machine.close()


@pytest.fixture
def sandbox(machine):
    sandbox = machine.sandbox()
    assert sandbox.joined.returncode == 0, sandbox.joined.stderr
    return sandbox


def said(sandbox, *targets):
    return set(sandbox.reach(*targets).values())


def assert_reaches_nothing_near(machine, sandbox):
    found = sandbox.reach(*machine.near())
    assert len(found) >= 5 and (METADATA, machine.outside.port) in found
    assert GREETING not in found.values(), found


def reaches_the_internet(machine, sandbox):
    return said(sandbox, (machine.outside.public, machine.outside.port)) == {GREETING}


def test_a_sandbox_reaches_the_internet_and_is_told_at_once_that_it_reaches_nothing_near(machine, sandbox):
    assert set(machine.outside.inside(PYTHON, "-c", "print('there')").stdout.split()) == {"there"}
    for address, port in machine.near():  # they answer
        code = f"import socket; print(socket.create_connection(('{address}', {port}), 2).recv(9).decode())"
        assert machine.inside(PYTHON, "-c", code).stdout.strip() == GREETING
    assert reaches_the_internet(machine, sandbox)
    assert said(sandbox, *machine.near()) - {"ECONNREFUSED"} == {"EHOSTUNREACH"}  # 127.0.0.1 is its own


def test_when_the_machines_firewall_is_flushed_nothing_near_is_open(machine, sandbox):
    machine.inside("sh", "-c", "iptables -P FORWARD ACCEPT; iptables -F; iptables -X; iptables -t nat -F; iptables -t nat -X")
    assert machine.inside("iptables", "-S").stdout.split("\n")[:3] == ["-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT"]
    assert_reaches_nothing_near(machine, sandbox)
    # That is told, and put back.
    status = machine.egress("status", check=False)
    assert (status.returncode, "firewall does not forward" in status.stdout) == (3, True)
    machine.up()
    assert machine.egress("status").returncode == 0
    assert reaches_the_internet(machine, sandbox)


def test_without_the_rules_of_the_network_itself_nothing_at_all_is_open_and_none_can_join(machine, sandbox):
    for table in ("filter", "nat"):
        machine.in_the_gateway("iptables", "-t", table, "-F")
        machine.in_the_gateway("iptables", "-t", table, "-X")
    assert not reaches_the_internet(machine, sandbox)
    assert_reaches_nothing_near(machine, sandbox)
    status = machine.egress("status", check=False)
    assert (status.returncode, "its rules are not there" in status.stdout) == (3, True)
    other = machine.sandbox(6)
    assert other.joined.returncode != 0 and "its rules are not there" in other.joined.stderr
    assert [link["ifname"] for link in json.loads(other.inside("ip", "-j", "link").stdout)] == ["lo"]
    machine.up()
    assert reaches_the_internet(machine, sandbox)


def test_after_a_restart_of_the_machine_there_is_no_way_out_until_there_are_rules(machine, sandbox):
    machine.ip("link", "del", *machine.links)  # what a restart takes: links, namespaces, /run
    run("ip", "netns", "del", machine.namespace)
    assert not reaches_the_internet(machine, sandbox)
    assert_reaches_nothing_near(machine, sandbox)
    other = machine.sandbox(6)
    assert other.joined.returncode != 0 and "its rules are not there" in other.joined.stderr
    machine.up()
    assert reaches_the_internet(machine, machine.sandbox(7))


def test_who_watches_puts_right_what_was_removed_and_says_ok(machine, sandbox):
    machine.watch()
    machine.inside("sh", "-c", "iptables -F FORWARD; iptables -t nat -F")
    wait_for("the machine to forward again", lambda: reaches_the_internet(machine, sandbox), 30)
    # Somebody opens the network on purpose.
    machine.in_the_gateway("sh", "-c", "iptables -P FORWARD ACCEPT; iptables -F FORWARD")
    wait_for("the rules to be back", lambda: machine.egress("status", check=False).returncode == 0, 30)
    assert_reaches_nothing_near(machine, sandbox)
    assert reaches_the_internet(machine, sandbox)
    ip_tables = machine.in_the_gateway("iptables", "-S").stdout
    assert "-P FORWARD DROP" in ip_tables
    wait_for("it to be said", lambda: machine.state() == "ok", 30)


def test_what_cannot_be_put_right_is_said_and_cuts_the_network_off(machine, sandbox):
    machine.watch()
    machine.inside("sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward")
    wait_for("the reason", lambda: "ip_forward" in machine.state(), 30)
    wait_for("the link to be down", lambda: "state DOWN" in machine.ip("link", "show", *machine.links), 30)
    assert not reaches_the_internet(machine, sandbox)
    machine.inside("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    wait_for("the network to be back", lambda: machine.state() == "ok" and reaches_the_internet(machine, sandbox), 30)


def test_an_address_that_the_machine_gets_is_shut_though_it_looks_public(machine, sandbox):
    machine.watch()
    machine.ip("addr", "add", "11.33.44.55/32", "dev", machine.outside.link)
    wait_for("it to be shut", lambda: GREETING not in said(sandbox, ("11.33.44.55", machine.port)), 30)
    assert reaches_the_internet(machine, sandbox)


def test_who_watches_writes_the_state_again_and_again_as_long_as_he_looks(machine):
    state = Path(f"/run/berth-egress/{machine.instance}/state")
    machine.watch()
    for _ in range(2):
        before = state.stat().st_mtime_ns
        wait_for("another look", lambda: state.stat().st_mtime_ns != before, 30)
    machine.stop_watching()
    before = state.stat().st_mtime_ns
    time.sleep(0.1)
    assert state.stat().st_mtime_ns == before


def test_sandboxes_do_not_reach_each_other(machine, sandbox):
    other = machine.sandbox(6)
    assert sandbox.address()["addr_info"][0]["local"] != other.address()["addr_info"][0]["local"]
    server = "import socket; s = socket.create_server(('0.0.0.0', 8000)); print('listens', flush=True); s.accept()"
    with machine.start("nsenter", f"--net=/proc/{other.process.pid}/ns/net", "--", PYTHON, "-c", server, stdout=-1) as listening:
        assert listening.stdout.readline() == "listens\n"
        address = other.address()["addr_info"][0]["local"]
        assert other.reach((address, 8000)) or True
        assert said(sandbox, (address, 8000)) == {"EHOSTUNREACH"}
        listening.kill()


def test_a_database_on_the_machine_itself_can_be_an_exception(machine, sandbox):
    machine.up(allow=f"{machine.outside.host}:{machine.port}")
    assert said(sandbox, (machine.outside.host, machine.port)) == {GREETING}
    assert said(sandbox, (machine.outside.host, 22)) == {"EHOSTUNREACH"}


def test_nobody_sends_under_anothers_address(machine, sandbox):
    """Not even one that had become root: here it is."""
    receive = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 9000)); print('listens', flush=True); print(s.recv(9).decode())"
    receiver = machine.outside.start(PYTHON, "-c", receive, stdout=-1)
    assert receiver.stdout.readline() == "listens\n"
    sandbox.inside("ip", "addr", "add", "198.18.1.77/32", "dev", "eth0")
    send = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(({!r}, 0)); s.sendto({!r}, ({!r}, 9000))"
    own = sandbox.address()["addr_info"][0]["local"]
    for address, text in (("198.18.1.77", b"another"), (own, b"own")):
        sandbox.inside(PYTHON, "-c", send.format(address, text, machine.outside.public))
    assert receiver.stdout.readline() == "own\n"


def test_exceptions_are_open_for_their_ports_and_for_those_only(machine, sandbox):
    outside = machine.outside
    machine.up(allow=f"{outside.private}:{outside.port} {outside.other_private}/32")
    assert sandbox.reach((outside.private, outside.port), (outside.private, outside.other_port)) == {
        (outside.private, outside.port): GREETING,
        (outside.private, outside.other_port): "EHOSTUNREACH",
    }
    both = [(outside.other_private, outside.port), (outside.other_private, outside.other_port)]
    assert said(sandbox, *both) == {GREETING}
    first = min(outside.port, outside.other_port)
    machine.up(allow=f"{outside.private}/24:1,{first}-{max(outside.port, outside.other_port)}")
    assert said(sandbox, (outside.private, outside.port), (outside.other_private, outside.other_port)) == {GREETING}
    machine.up()
    assert said(sandbox, *both) == {"EHOSTUNREACH"}


def test_ports_that_are_denied_are_denied_everywhere(machine, sandbox):
    outside = machine.outside
    assert said(sandbox, (outside.public, 25)) == {"EHOSTUNREACH"}  # where nobody listens, it would be ECONNREFUSED
    assert said(sandbox, (outside.public, 26)) == {"ECONNREFUSED"}
    machine.up(deny_ports=f"25,{outside.port}", allow=outside.private)
    assert said(sandbox, (outside.public, outside.port), (outside.private, outside.port)) == {"EHOSTUNREACH"}
    assert said(sandbox, (outside.public, outside.other_port)) == {GREETING}


def test_a_setting_that_is_none_is_refused_and_changes_nothing(machine, sandbox):
    for setting, value, reason in [
        ("allow", "10.0.0.0/33", "10.0.0.0/33"),
        ("allow", "300.0.0.1", "300.0.0.1"),
        ("allow", "database.example", "database.example"),
        ("allow", "10.0.0.1:", "no list of ports"),
        ("allow", "10.0.0.1:5432:9", "5432:9"),
        ("allow", "10.0.0.1:70000", "70000"),
        ("allow", "fd00::1", "fd00"),
        ("deny_ports", "smtp", "smtp"),
    ]:
        refused = machine.up(check=False, **{setting: value})
        assert refused.returncode == 1
        assert f"egress.{setting}" in refused.stderr and reason in refused.stderr
    assert machine.egress("status").returncode == 0
    assert reaches_the_internet(machine, sandbox)


def test_the_hosts_mtu_is_taken_over_and_followed(machine, sandbox):
    assert sandbox.address()["mtu"] == 1400
    machine.watch()
    machine.ip("link", "set", machine.outside.link, "mtu", "1380")
    wait_for("the link to follow", lambda: f"mtu 1380" in machine.ip("link", "show", *machine.links), 30)
    assert machine.sandbox(6).address()["mtu"] == 1380


def test_ipv6_rules_hold_where_there_is_ipv6(machine, sandbox):
    """The network has no IPv6; here it gets some by hand, as from somebody who thinks that it should."""
    if not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this kernel has no IPv6")
    enable = "for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 0 >$f; done; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"
    assert [a for a in sandbox.address()["addr_info"] if a["family"] == "inet6"] == []
    for one in (machine.inside, machine.in_the_gateway, sandbox.inside):
        one("sh", "-c", enable)
    link = next(n["ifname"] for n in json.loads(machine.in_the_gateway("ip", "-j", "link").stdout) if n["ifname"].startswith("s"))
    machine.ip("addr", "add", "fd02::1/64", "dev", *machine.links, "nodad")
    machine.in_the_gateway("ip", "addr", "add", "fd02::2/64", "dev", "uplink", "nodad")
    machine.in_the_gateway("ip", "addr", "add", "fd01::1/64", "dev", link, "nodad")
    machine.ip("route", "add", "fd01::/64", "via", "fd02::2")
    sandbox.inside("ip", "addr", "add", "fd01::2/64", "dev", "eth0", "nodad")
    sandbox.inside("ip", "route", "add", "default", "via", "fd01::1")
    assert GREETING not in said(sandbox, ("fd02::1", machine.port))
    # It is the rules that hold: without them the way is open.
    machine.in_the_gateway("sh", "-c", "for chain in INPUT FORWARD OUTPUT; do ip6tables -P $chain ACCEPT; done")
    wait_for("the way to be open", lambda: said(sandbox, ("fd02::1", machine.port)) == {GREETING})
    assert "its rules are not there" in machine.egress("status", check=False).stdout


def test_one_sandbox_cannot_fill_the_machines_table_of_connections(machine, sandbox):
    code = f"""
import errno, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(10000, 13000):
    try:
        s.sendto(b"x", ("{machine.outside.public}", port))
    except OSError:
        pass
"""
    sandbox.inside(PYTHON, "-c", code)
    assert said(sandbox, (machine.outside.public, machine.outside.port)) == {"EHOSTUNREACH"}
    assert reaches_the_internet(machine, machine.sandbox(6))


NAME, FAR = "far.example", "11.22.33.44"
RESOLVE = """
import socket, struct, sys
server, name, kind, tcp = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "tcp"
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + struct.pack(">BHH", 0, kind, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
s.settimeout(1.5)
try:
    s.connect((server, 53))
    s.send((struct.pack(">H", len(query)) if tcp else b"") + query)
    answer = s.recv(2000)[2 if tcp else 0:]
    print(answer[3] & 15, socket.inet_ntoa(answer[-4:]) if answer[7] else "")
except OSError as error:
    print(type(error).__name__)
"""


def resolve(sandbox, server, name=NAME, kind=1, protocol="udp"):
    return sandbox.inside(PYTHON, "-c", RESOLVE, server, name, str(kind), protocol).stdout.split()


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_names_are_resolved_by_the_hosts_own_name_server_though_its_address_is_private(machine, sandbox, protocol):
    outside = machine.outside
    outside.resolve(outside.private, NAME, FAR)
    machine.resolv_conf.write_text(f"search example.org\nnameserver {outside.private}\n")
    machine.up()
    for server in ("198.18.0.1", "198.18.0.2", "198.18.0.3", outside.private):
        assert resolve(sandbox, server, protocol=protocol) == ["0", FAR]
    # Nothing else of it, and no other address.
    assert said(sandbox, (outside.private, outside.port), (outside.other_private, 53)) == {"EHOSTUNREACH"}
    assert said(sandbox, ("198.18.0.1", outside.port)) == {"EHOSTUNREACH"}


def test_a_change_of_the_hosts_name_servers_is_followed_by_sandboxes_that_run(machine, sandbox):
    outside = machine.outside
    outside.resolve(outside.private, NAME, FAR)
    outside.resolve(outside.other_private, NAME, "11.22.33.55")
    machine.watch()
    machine.resolv_conf.write_text(f"nameserver {outside.private}")  # without a newline
    wait_for("the first", lambda: resolve(sandbox, "198.18.0.1") == ["0", FAR], 30)
    machine.resolv_conf.write_text(f"nameserver ::1\nnameserver 127.0.0.1\nnameserver {outside.other_private}\n")
    wait_for("the second", lambda: resolve(sandbox, "198.18.0.1") == ["0", "11.22.33.55"], 30)
    assert said(sandbox, (outside.private, 53)) == {"EHOSTUNREACH"}
    machine.resolv_conf.write_text("# none\n")
    wait_for("none", lambda: resolve(sandbox, "198.18.0.1") not in (["0", FAR], ["0", "11.22.33.55"]), 30)
    assert machine.egress("status").returncode == 0


def test_a_name_server_that_is_an_address_of_the_machine_is_asked_and_nothing_else_of_the_machine(machine, sandbox):
    machine.resolve(machine.outside.host, NAME, FAR)
    machine.resolv_conf.write_text(f"nameserver {machine.outside.host}\n")
    machine.up()
    assert resolve(sandbox, "198.18.0.1") == ["0", FAR]
    assert_reaches_nothing_near(machine, sandbox)


def test_down_ends_it_and_can_be_said_again(machine, sandbox):
    machine.egress("down")
    assert not reaches_the_internet(machine, sandbox)
    assert machine.links == []
    assert not Path(f"/run/berth-egress/{machine.instance}").exists()
    assert machine.egress("down").returncode == 0
    status = machine.egress("status", check=False)
    assert (status.returncode, "was not made" in status.stdout) == (3, True)
