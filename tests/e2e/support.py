"""What the end-to-end tests have in common: HTTP, SQL, processes, containers, and waiting for a condition."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import uuid
from pathlib import Path

import contract
import requests

POLL_S = 0.02  # at first, then a twentieth of what has been waited
# PostgreSQL's own: Debian's wrapper around it takes longer than most of what is asked.
PSQL = str(max(Path("/usr/lib/postgresql").glob("*/bin/psql"), default="psql"))
REQUEST_TIMEOUT_S = 60
RUNTIME_FILES = sorted((Path(__file__).parents[2] / "runtimes").glob("*/runtime.json"))
LANGUAGES = {language["language"]: language for language in map(json.loads, (file.read_text() for file in RUNTIME_FILES))}
RUNTIMES = {"docker": "runc", "gvisor": "berth-runsc"}  # and what Docker Engine calls each


def default_version(language):
    """The row of the default version of a language in its runtime.json."""
    return next(v for v in LANGUAGES[language]["versions"] if v["version"] == LANGUAGES[language]["default_version"])


def default_label(language):
    """What its default version is called in commands, settings and the names of shapes: "python-3.13"."""
    return f"{language}-{LANGUAGES[language]['default_version']}"


def unique(text):
    """A name for a function that nobody else has."""
    return f"{re.sub('[^a-z0-9]+', '-', text.lower()).strip('-')[:40].strip('-')}-{uuid.uuid4().hex[:12]}"


def wait_for(what, condition, timeout_s=60):
    """Until condition() is true; returns what it gave. The poll is for other processes, which cannot wake us."""
    started = time.monotonic()
    while True:
        result = condition()
        if result:
            return result
        waited = time.monotonic() - started
        assert waited < timeout_s, f"waited {timeout_s} s for {what}; in the end: {result!r}"
        time.sleep(min(max(POLL_S, waited / 20), 0.25))


class FromAddress(requests.adapters.HTTPAdapter):
    """Connects from an address of this machine."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=(self.address, 0), **kwargs)


class Api:
    """All answers must be as /openapi.json says. address: where requests come from, for what goes by the client."""

    def __init__(self, url, ca, address=None):
        self.url = url
        self.ca = ca
        self.address = address

    def request(self, method, path, **options):
        options.setdefault("timeout", REQUEST_TIMEOUT_S)
        with requests.Session() as session:  # requests' adapter does not retry
            session.trust_env = False
            session.verify = self.ca
            if self.address is not None:
                session.mount("https://", FromAddress(self.address))
            answer = session.request(method, self.url + path, **options)
        contract.look_at(method, path, answer)
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def put(self, path, **options):
        return self.request("PUT", path, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def execute(self, function, event=None, **options):
        ref = function if isinstance(function, str) else function["name"]
        if "data" not in options and "json" not in options:
            options["json"] = {"input": event}
        return self.post(f"/execute/{ref}", **options)

    def output(self, function, event=None, **options):
        """What the function returned; it must have succeeded."""
        answer = self.execute(function, event, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()["output"]

    def leased(self):
        """How many sandboxes workers have: an invocation runs in them, or they are kept for the next one."""
        return self.get("/readyz").json()["pool"]["sandboxes"]["leased"]

    def wait_for_rest(self):
        """Until none is: one that is leased after this is of what the test does."""
        wait_for("kept sandboxes to go back", lambda: self.leased() == 0)

    def raw(self, method, path, data, headers):
        """A body just as it is, with just these headers."""
        return self.request(method, path, data=data, headers=headers)

    def delete_for_sure(self, path):
        """For clean-up, also while the stack recovers from what a test did."""

        def gone():
            try:
                return self.delete(path).status_code in (204, 404)
            except requests.ConnectionError:
                return False

        wait_for(f"DELETE {path}", gone, 30)


def check_problem(answer, status, code):
    """An RFC 9457 problem with this status and code; returns its members."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert problem["code"] == code, problem
    assert problem["type"] == f"urn:berth:problem:{code}"
    assert problem["status"] == status
    assert problem["title"] and problem["detail"] and problem["instance"].startswith("/")
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    # Where things are is nobody's business. A function's own error is its own, with paths in its sandbox.
    assert "error" in problem or not re.search(r"/(etc|opt|run|tmp|usr|var)/", problem["detail"]), problem
    if status in (429, 503):
        assert int(answer.headers["Retry-After"]) >= 1
    return problem


class Database:
    def __init__(self, conninfo):
        self.conninfo = conninfo

    def as_superuser(self):
        """Sees and ends what other roles do."""
        return Database(self.conninfo.replace("user=berth", "user=postgres"))

    def rows(self, query, **params):
        """Rows as dictionaries. :'name' in the query stands for the parameter."""
        command = [PSQL, "-XAtqw", "-v", "ON_ERROR_STOP=1", self.conninfo]
        for name, value in params.items():
            command += ["-v", f"{name}={value}"]
        wrapped = f"select coalesce(json_agg(to_json(r)), '[]') from ({query}) r"
        done = subprocess.run(command, input=wrapped, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run(self, script):
        done = subprocess.run(
            [PSQL, "-Xqw", "-v", "ON_ERROR_STOP=1", self.conninfo], input=script, text=True, capture_output=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def value(self, query, **params):
        (row,) = self.rows(query, **params)
        (value,) = row.values()
        return value

    def counts(self):
        """How many rows the API has written."""
        (row,) = self.rows(
            "select (select count(*) from functions where status <> 'deleted') as functions,"
            " (select count(*) from function_versions) as versions, (select count(*) from packages) as packages"
        )
        return row

    def metric(self, invocation_id):
        """The one record of an invocation, once it is stored."""
        query = "select * from metrics where metric_id = :'id'"
        rows = wait_for(f"the record of {invocation_id}", lambda: self.rows(query, id=invocation_id))
        (row,) = rows
        return row

    def log(self, invocation_id):
        """The log of an invocation that is recorded: {text, log_bytes}, and what it printed after its answer, {late}; or None."""
        query = (
            "select encode(log, 'hex') as log, log_bytes, function_id, late_for is not null as late from invocation_logs"
            " where metric_id = :'id' order by request_timestamp"
        )
        rows = self.rows(query, id=invocation_id)
        for row in rows:
            row["text"] = bytes.fromhex(row.pop("log")).decode(errors="replace")
        late = "".join(row["text"] for row in rows if row["late"])
        before = [row for row in rows if not row["late"]]
        assert len(before) <= 1
        if not rows:
            return None
        return (before[0] if before else {"text": "", "log_bytes": 0}) | {"late": late}

    def stored(self, function_id):
        """metric_id → [rows] of a function."""
        rows = self.rows(
            "select metric_id, status, error_code from metrics where function_id = :'id'", id=function_id
        )
        by_id = {}
        for row in rows:
            by_id.setdefault(row["metric_id"], []).append(row)
        return by_id


class Answer:
    """What came of one request of a load: a response or an exception, and when."""

    def __init__(self, started, ended, response, error):
        self.started, self.ended, self.error = started, ended, error
        self.status = response.status_code if response is not None else None
        self.headers = response.headers if response is not None else {}
        self.text = response.text if response is not None else ""
        self.invocation_id = self.headers.get("Berth-Invocation-Id")

    @property
    def output(self):
        return json.loads(self.text)["output"]

    @property
    def code(self):
        return json.loads(self.text)["code"] if self.status != 200 and self.text.startswith("{") else None

    def __repr__(self):
        return f"<{self.status} {self.error or self.text[:200]}>"


class Load:
    """Runs send() over and over from threads, each time after a pause, and keeps every answer."""

    def __init__(self, send, threads=4, pause_s=0):
        self.answers = []
        self.send, self.pause_s = send, pause_s
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopping.is_set():
            started = time.monotonic()
            response = error = None
            try:
                response = self.send()
            except requests.RequestException as e:
                error = e
            self.answers.append(Answer(started, time.monotonic(), response, error))
            if error is not None or response.status_code == 502:
                self.stopping.wait(POLL_S)  # nobody listens just now: do not spin
            self.stopping.wait(self.pause_s)

    def wait_for_more(self, count, timeout_s=30):
        """Until so many more were answered with success."""
        start = len(self.answers)
        wait_for(
            f"{count} more invocations to succeed",
            lambda: sum(a.status == 200 for a in self.answers[start:]) >= count,
            timeout_s,
        )

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(REQUEST_TIMEOUT_S)
            assert not thread.is_alive()
        return self.answers

    def failed(self):
        return [a for a in self.answers if a.status != 200]


def in_background(call):
    """Starts call() in a thread; the function returned waits for its result."""
    result = []

    def run():
        started = time.monotonic()
        response = error = None
        try:
            response = call()
        except requests.RequestException as e:
            error = e
        result.append(Answer(started, time.monotonic(), response, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait():
        thread.join(REQUEST_TIMEOUT_S)
        return result[0]

    return wait


class Process:
    """A process found in /proc; start_time tells it from a later one with the same pid."""

    def __init__(self, pid):
        self.pid = pid
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        self.state, self.parent, self.start_time = stat[0], int(stat[1]), stat[19]
        self.title = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
        self.status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )

    @property
    def role(self):
        """"invoke" of "berthd: invoke/3"."""
        return self.title.partition(": ")[2].partition("/")[0]

    @property
    def uids(self):
        return {int(uid) for uid in self.status["Uid"].split()}

    @property
    def groups(self):
        return {int(gid) for gid in self.status["Groups"].split()} | {int(gid) for gid in self.status["Gid"].split()}

    def kill(self, signal_number=signal.SIGKILL):
        os.kill(self.pid, signal_number)

    def is_alive(self):
        try:
            now = Process(self.pid)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return now.start_time == self.start_time and now.state != "Z"


def processes(parent=None):
    """All there are, or the children of one: of the others only a line is read, because tests ask for them again and again."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if parent is None or parent_of(name) == parent:
                found.append(Process(int(name)))
        except (FileNotFoundError, ProcessLookupError):
            pass  # gone meanwhile
    return found


def parent_of(pid):
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return int(stat.read().rpartition(b")")[2].split()[1])


class Cgroup:
    """The control group of a container, v1 or v2; it can be read as long as it exists, also when pid is gone."""

    MOUNTS = Path("/sys/fs/cgroup")

    def __init__(self, pid):
        self.paths = {}
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                self.paths[controller] = path.strip("/")
        self.is_v1 = "freezer" in self.paths

    def read(self, controller, v1_name, v2_name):
        if self.is_v1:
            return (self.MOUNTS / controller / self.paths[controller] / v1_name).read_text().strip()
        return (self.MOUNTS / self.paths[""] / v2_name).read_text().strip()

    def is_frozen(self):
        return self.read("freezer", "freezer.state", "cgroup.freeze") in ("FROZEN", "1")

    def thaw(self):
        name, value = ("freezer.state", "THAWED") if self.is_v1 else ("cgroup.freeze", "0")
        try:
            (self.MOUNTS / ("freezer" if self.is_v1 else "") / self.paths["freezer" if self.is_v1 else ""] / name).write_text(value)
        except FileNotFoundError:
            pass  # it has ended

    def cpu_s(self):
        """Processor time used until now."""
        text = self.read("cpuacct", "cpuacct.usage", "cpu.stat")
        return int(text) / 1e9 if self.is_v1 else int(text.split()[1]) / 1e6

    def pids(self):
        try:
            return {int(pid) for pid in self.read("freezer", "cgroup.procs", "cgroup.procs").split()}
        except FileNotFoundError:
            return set()


class EngineConnection(http.client.HTTPConnection):
    """To Docker Engine's socket."""

    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """Docker Engine's API. To ask it takes a tenth of the processor time of the program docker, and tests ask again and again."""

    def __init__(self, path):
        self.path = path

    def get(self, path, **query):
        """Status and answer."""
        connection = EngineConnection(self.path)
        try:
            connection.request("GET", f"{path}?{urllib.parse.urlencode(query)}")
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def container(self, name):
        """What docker inspect tells of it; None when there is none, or when it is just being removed."""
        status, container = self.get(f"/containers/{name}/json")
        return container if status == 200 else None

    def containers(self, label):
        """All that have it, in any state."""
        status, containers = self.get("/containers/json", all="true", filters=json.dumps({"label": [label]}))
        assert status == 200, containers
        return containers


class Stack:
    def __init__(self, environ):
        self.url = environ["BERTH_URL"]
        self.port = int(self.url.rpartition(":")[2])
        self.http_port = int(environ["BERTH_HTTP_PORT"])
        self.ca = environ["BERTH_CA"]
        self.instance = environ["BERTH_INSTANCE"]
        self.dir = Path(environ["BERTH_STACK_DIR"])
        self.script = environ["BERTH_STACK"]
        self.engine = Engine(self.settings()["docker.socket"])

    # Scripts and programs

    def run(self, command, *args, check=True):
        done = subprocess.run(
            [self.script, command, "--dir", self.dir, *args], capture_output=True, text=True, timeout=150
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def option(self, name):
        for line in (self.dir / "options").read_text().splitlines():
            key, _, value = line.partition("=")
            if key == name:
                return value
        raise KeyError(name)

    def given_settings(self):
        """What this stack was given instead of defaults: section.key → value."""
        lines = (self.dir / "options").read_text().splitlines()
        return dict(line.removeprefix("set=").split("=", 1) for line in lines if line.startswith("set="))

    def berthd(self, *args):
        return subprocess.run(
            [f"{self.option('prefix')}/sbin/berthd", *args], capture_output=True, text=True, timeout=60
        )

    def settings(self):
        """Every setting of the running stack's configuration: section.key → value."""
        settings, section = {}, None
        for line in self.berthd("--config", str(self.dir / "berth.conf"), "--dump-config").stdout.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and line[0] not in ";#":
                key, _, value = line.partition("=")
                settings[f"{section}.{key.strip()}"] = value.strip()
        return settings

    # Processes

    def master(self):
        """The berthd that runs, or None."""
        try:
            process = Process(int((self.dir / "run" / "berthd.pid").read_text()))
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return process if "berthd" in process.title else None

    def children(self, role=None):
        """The running children of the master."""
        master = self.master()
        if master is None:
            return []
        found = [p for p in processes(master.pid) if p.state != "Z" and p.title.startswith("berthd: ")]
        return [p for p in found if role in (None, p.role)]

    def nginx(self, *args):
        prefix = self.dir / "nginx"
        done = subprocess.run(["nginx", "-p", prefix, "-c", prefix / "berth.conf", *args], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr

    def nginx_workers(self):
        pid, _, _ = (self.dir / "pids" / "nginx").read_text().partition(" ")
        return [p for p in processes(int(pid)) if p.title.startswith("nginx: worker")]

    # Logs

    def log_mark(self, name="berthd"):
        return (self.dir / "log" / f"{name}.log").stat().st_size

    def log_since(self, mark, name="berthd"):
        with open(self.dir / "log" / f"{name}.log", errors="replace") as log:
            log.seek(mark)
            return log.read()

    # Containers and what belongs to them

    def docker(self, *args, check=True):
        done = subprocess.run(["docker", "--host", f"unix://{self.engine.path}", *args], capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def engine_runs(self):
        return subprocess.run(["docker", "--host", f"unix://{self.engine.path}", "version"], capture_output=True, timeout=60).returncode == 0

    def containers(self):
        """Container id → sandbox id, of this stack, in any state."""
        listed = self.engine.containers(f"berth.instance={self.instance}")
        return {container["Id"]: container["Labels"].get("berth.sandbox", "") for container in listed}

    def sandbox_container(self, sandbox_id):
        """The id of a sandbox's container, None when there is none."""
        for container, sandbox in self.containers().items():
            if sandbox == sandbox_id:
                return container
        return None

    def container_of_user(self, uid):
        """docker inspect of the sandbox that has this user id, which is its own; None when there is none."""
        for container in self.inspect_all():
            if container["Config"]["User"] == f"{uid}:{uid}":
                return container
        return None

    def inspect(self, container):
        found = self.engine.container(container)
        assert found is not None, f"there is no container {container}"
        return found

    def inspect_all(self):
        """All containers of this stack, but for those that vanish meanwhile."""
        found = map(self.engine.container, self.containers())
        return [container for container in found if container is not None]

    def cgroup_of_user(self, uid):
        return Cgroup(self.container_of_user(uid)["State"]["Pid"])

    def sandbox_directories(self):
        return {entry.name for entry in (self.dir / "state" / "sandboxes").iterdir()}

    def is_tidy(self, api):
        """Nothing is on its way, and poolmgr, Docker and the file system agree about which sandboxes there are."""
        pool = api.get("/readyz").json().get("pool")
        if not pool or any(pool["sandboxes"][state] for state in ("creating", "booting", "assigned", "warming", "leased", "dying")):
            return False
        sandboxes = sorted(self.containers().values())
        return len(sandboxes) == sum(pool["sandboxes"].values()) and sorted(self.sandbox_directories()) == sandboxes


# In a function: the id of the sandbox it runs in, as the host knows it. Under gVisor it is not to be seen: os.getuid() tells
# sandboxes apart there, and Stack.container_of_user() finds the container.
PYTHON_SANDBOX_ID = """
def sandbox_id():
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[4] == "/berth":
                return fields[3].split("/")[-2]
"""
