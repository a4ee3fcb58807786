"""Docker Engine, asked directly: which sandboxes there are, and what starting such containers costs without Berth."""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import socket
import sys
import time
import urllib.parse

LABEL = "berth.bench"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    def __init__(self, socket_path, instance):
        self.socket_path = socket_path
        self.instance = instance

    def call(self, method, path, body=None, ok=(200, 201, 204)):
        with contextlib.closing(UnixConnection(self.socket_path)) as connection:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        if response.status not in ok:
            sys.exit(f"Docker Engine: {method} {path}: {response.status} {text!r}")
        return text

    def filtered(self, path, query="", **filters):
        filters = urllib.parse.quote(json.dumps(filters))
        return self.call("GET", f"{path}?filters={filters}{query}")

    def sandboxes(self, engine_runtime=None, image=""):
        """Inspections of the running containers of this instance: of one runtime, of images with that in their names."""
        listed = json.loads(self.filtered("/containers/json", label=[f"berth.instance={self.instance}"], status=["running"]))
        found = []
        for one in listed:
            text = self.call("GET", f"/containers/{one['Id']}/json", ok=(200, 404))
            inspected = json.loads(text)
            if inspected.get("State", {}).get("Running") and image in inspected["Config"]["Image"] and (
                    engine_runtime in (None, inspected["HostConfig"]["Runtime"])):
                found.append(inspected)
        return found

    def started_between(self, since, until):
        """How many sandboxes were started meanwhile (time.time())."""
        lines = self.filtered("/events", f"&since={since:.6f}&until={until:.6f}", label=[f"berth.instance={self.instance}"],
                              event=["start"]).splitlines()
        return len(lines)

    def start_bare(self, like, count, parallel, directory):
        """
        Seconds until count containers made like that sandbox have started, so many at a time. Its program finds sockets to
        connect to, as it does with Berth, but nobody waits for it.
        """
        with listening(directory):
            body = container_like(like, directory)

            def start(_):
                container = json.loads(self.call("POST", "/containers/create", body))["Id"]
                self.call("POST", f"/containers/{container}/start")
                return container

            begin = time.perf_counter()
            with concurrent.futures.ThreadPoolExecutor(parallel) as threads:
                list(threads.map(start, range(count)))
            seconds = time.perf_counter() - begin
            self.remove_bare()
        return seconds

    def remove_bare(self):
        listed = json.loads(self.filtered("/containers/json", "&all=true", label=[f"{LABEL}={self.instance}"]))
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda c: self.call("DELETE", f"/containers/{c['Id']}?force=true&v=true", ok=(200, 204, 404, 409)),
                             listed))


def container_like(inspected, directory):
    """The request that makes the same container once more, with another directory mounted at /berth."""
    config = inspected["Config"]
    body = {key: config[key] for key in ("Image", "Cmd", "Entrypoint", "User", "WorkingDir", "Env", "Hostname")}
    host = dict(inspected["HostConfig"])
    host["Mounts"] = [dict(m, Source=str(directory)) if m["Target"] == "/berth" else m for m in host["Mounts"]]
    return body | {"Labels": {LABEL: inspected["Config"]["Labels"]["berth.instance"]}, "HostConfig": host}


@contextlib.contextmanager
def listening(directory):
    """The two sockets that a sandbox connects to; the kernel's backlog is all that answers."""
    directory = pathlib.Path(directory)
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    with contextlib.ExitStack() as stack:
        for name in ("control.sock", "log.sock"):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            (directory / name).unlink(missing_ok=True)
            listener.bind(str(directory / name))
            (directory / name).chmod(0o666)
            listener.listen(1024)
        yield
