"""
Machines made of network namespaces, for tests of what the network of functions with egress lets through: one that has scripts/egress,
the firewall and all else to itself, and one that stands for everything beyond it. All addresses are on this machine.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
from pathlib import Path

from support import wait_for

PYTHON = "/usr/bin/python3"
GREETING = "hello"
METADATA = "169.254.169.254"
NAME_SERVER = Path(__file__).parent.parent / "support" / "name_server.py"

SERVER = f"""
import socket, threading
servers = [socket.create_server(("0.0.0.0", 0))]
port = servers[0].getsockname()[1]
try:
    servers.append(socket.create_server(("::", port), family=socket.AF_INET6))
except OSError:
    pass
print(port, flush=True)
def serve(server):
    while True:
        connection, _ = server.accept()
        connection.sendall(b"{GREETING}")
        connection.close()
for server in servers[1:]:
    threading.Thread(target=serve, args=[server], daemon=True).start()
serve(servers[0])
"""

# Tries all at once: what is dropped is noticed by waiting only.
REACH = """
import errno, json, socket, sys, threading
found = {}
def reach(host, port):
    try:
        with socket.create_connection((host, port), 1.5) as s:
            found[f"{host} {port}"] = s.recv(100).decode()
    except OSError as error:
        found[f"{host} {port}"] = errno.errorcode.get(error.errno, type(error).__name__)
threads = [threading.Thread(target=reach, args=target) for target in json.loads(sys.argv[1])]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(found))
"""


def run(*command, check=True, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, **options)
    assert not check or done.returncode == 0, f"{command}: {done.stderr}"
    return done


def ip(*args, check=True):
    return run("ip", *args, check=check).stdout


class Namespace:
    """A network namespace with processes in it."""

    def __init__(self, name):
        self.name = name
        self.processes = []
        self.name_servers = {}
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")

    def inside(self, *command, **options):
        return run("nsenter", f"--net=/run/netns/{self.name}", "--", *command, **options)

    def ip(self, *args, check=True):
        return ip("-n", self.name, *args, check=check)

    def start(self, *command, **options):
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.name}", "--", *[str(part) for part in command]], text=True, **options
        )
        self.processes.append(process)
        return process

    def serve(self):
        """A server at all of its addresses; returns its port."""
        return int(self.start(PYTHON, "-c", SERVER, stdout=subprocess.PIPE).stdout.readline())

    def resolve(self, address, name, result):
        """A name server there, in the place of one that there is; it knows one name. Returns the file with the questions it was asked."""
        log = Path(f"/tmp/{self.name}-{address}.names")
        if address in self.name_servers:
            self.name_servers[address].kill()
            self.name_servers[address].wait()
        with open(log, "w") as out:
            self.name_servers[address] = self.start(PYTHON, NAME_SERVER, address, name, result, stdout=out)
        wait_for("the name server to listen", lambda: "listens" in log.read_text())
        return log

    def close(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        ip("netns", "del", self.name, check=False)
        for log in Path("/tmp").glob(f"{self.name}-*.names"):
            log.unlink()


class Outside(Namespace):
    """
    In the place of the internet, joined by a link to a machine, the one that runs this or another namespace. It has an address that
    looks public, two that are private, and the one where clouds keep their secrets.
    """

    def __init__(self, machine=None, name="out"):
        self.number = random.randrange(64, 192)  # another stack's tests may run
        super().__init__(f"b{name}{os.getpid()}-{self.number}")
        self.link = f"b{name}{os.getpid()}"
        self.host, self.public = f"11.22.{self.number}.1", f"11.22.{self.number}.2"
        self.private, self.other_private = f"10.99.{self.number}.2", f"10.99.{self.number}.3"
        self.near = []
        there = [] if machine is None else ["-n", machine.name]
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        if machine is not None:
            ip("link", "set", self.link, "netns", machine.name)
        ip(*there, "addr", "add", f"{self.host}/24", "dev", self.link)
        ip(*there, "link", "set", self.link, "up")
        self.ip("addr", "add", f"{self.public}/24", "dev", "eth0")
        self.ip("link", "set", "eth0", "up")
        self.ip("route", "add", "default", "via", self.host)
        for address in (self.private, self.other_private, METADATA):
            self.ip("addr", "add", f"{address}/32", "dev", "lo")
            with contextlib.suppress(AssertionError):  # this machine has a use for the address
                ip(*there, "route", "add", f"{address}/32", "via", self.public)
                self.near.append(address)
        self.port, self.other_port = self.serve(), self.serve()

    def close(self):
        ip("link", "del", self.link, check=False)
        super().close()


class Machine(Namespace):
    """With an installation's network for egress, and the rest of the world behind its default route."""

    def __init__(self, script, berthd, directory):
        super().__init__(f"bmach{os.getpid()}")
        self.instance = f"mach{os.getpid()}"
        self.script, self.berthd, self.directory = script, berthd, directory
        self.resolv_conf = directory / "resolv.conf"
        self.resolv_conf.write_text("")
        self.inside("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        self.outside = Outside(self, "net")
        self.ip("link", "set", self.outside.link, "mtu", "1400")
        self.ip("route", "add", "default", "via", self.outside.public)
        self.port = self.serve()
        self.watcher = None
        self.sandboxes = []

    def egress(self, command, check=True, **options):
        return self.inside(self.script, command, "--instance", self.instance, check=check, **options)

    def up(self, check=True, **settings):
        lines = ["[master]", f"instance = {self.instance}", "[egress]", f"resolv_conf = {self.resolv_conf}"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        config = self.directory / "berth.conf"
        config.write_text("\n".join(lines) + "\n")
        return self.inside(
            self.script, "up", "--config", config, "--berthd", self.berthd, "--socket", "/nonexistent", "--docker-config",
            self.directory / "daemon.json", check=check,
        )  # fmt: skip

    def watch(self):
        self.watcher = self.start(self.script, "watch", "--instance", self.instance)

    def stop_watching(self):
        if self.watcher:
            self.watcher.send_signal(signal.SIGTERM)
            self.watcher.wait(20)
            self.watcher = None

    @property
    def namespace(self):
        return f"berth-{self.instance}"

    @property
    def links(self):
        return [link["ifname"] for link in json.loads(self.ip("-j", "link")) if link["ifname"].startswith("brth-")]

    def in_the_gateway(self, *command, **options):
        return run("nsenter", f"--net=/run/netns/{self.namespace}", "--", *command, **options)

    def state(self):
        return Path(f"/run/berth-egress/{self.instance}/state").read_text().strip()

    def addresses(self):
        return [a["local"] for link in json.loads(self.ip("-j", "-4", "addr")) for a in link["addr_info"]]

    def near(self):
        """Each address that nothing on the network may reach, and a port that answers there."""
        return [(address, self.port) for address in self.addresses()] + [(a, self.outside.port) for a in self.outside.near]

    def sandbox(self, number=5):
        one = FakeSandbox(self, number)
        self.sandboxes.append(one)
        return one

    def close(self):
        self.stop_watching()
        for sandbox in self.sandboxes:
            sandbox.close()
        self.egress("down", check=False)
        self.outside.close()
        super().close()


class FakeSandbox:
    """A process in a network namespace of its own, joined to the network as a runtime's hook does it."""

    def __init__(self, machine, number):
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
        wait_for("its namespace", lambda: os.readlink(f"/proc/{self.process.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        self.inside("ip", "link", "set", "lo", "up")
        bundle = machine.directory / f"bundle-{number}"
        bundle.mkdir(exist_ok=True)
        (bundle / "config.json").write_text(json.dumps({"process": {"user": {"uid": 200000 + number}}}))
        state = {"id": f"{number:04}{os.getpid():08}", "pid": self.process.pid, "bundle": str(bundle)}
        self.joined = machine.egress("attach", check=False, input=json.dumps(state))

    def inside(self, *command, **options):
        return run("nsenter", f"--net=/proc/{self.process.pid}/ns/net", "--", *command, **options)

    def reach(self, *targets):
        """(host, port) → what it said, or the error."""
        found = json.loads(self.inside(PYTHON, "-c", REACH, json.dumps(targets)).stdout)
        return {(host, int(port)): said for (host, port), said in ((key.split(" "), said) for key, said in found.items())}

    def address(self):
        (link,) = [link for link in json.loads(self.inside("ip", "-j", "addr").stdout) if link["ifname"] == "eth0"]
        return link

    def close(self):
        self.process.kill()
        self.process.wait()


def reach_from_here(*targets):
    """The same from where this runs."""
    done = run(PYTHON, "-c", REACH, json.dumps(targets))
    return {(host, int(port)): said for (host, port), said in ((k.split(" "), said) for k, said in json.loads(done.stdout).items())}


