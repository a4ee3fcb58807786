"""What scripts/stack says is true: what is not ours is left alone, what runs is asked, and what cannot be says why."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from support import LANGUAGES, check_problem, default_label, default_version, processes, unique, wait_for

ECHO = "def handler(event, context):\n    return event\n"
DAY_S = 86400
VERSION = default_version("python")
PYTHON, IMAGE = default_label("python"), VERSION["image"]


def listeners(port):
    """The processes that listen on a port of 127.0.0.1, as the kernel tells it."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for fields in map(str.split, lines):
                if fields[3] == "0A" and fields[1].endswith(f":{port:04X}"):
                    sockets.add(f"socket:[{fields[9]}]")
    found = set()
    for process in processes():
        try:
            held = {os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")}
        except OSError:
            continue
        if held & sockets:
            found.add(process.pid)
    return found


def nginx_pid(stack):
    return int((stack.dir / "pids" / "nginx").read_text().split()[0])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def taken():
    """A port that somebody else, this process, listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def stack_stays(stack):
    """Whatever a test has done, the stack is as it was, and runs."""
    options = (stack.dir / "options").read_text()
    yield
    (stack.dir / "options").write_text(options)
    stack.run("up")


# Certificates


@pytest.fixture
def tls(stack, stack_stays):
    """The directory of the certificate, which is as it was afterwards."""
    before = {path.name: path.read_bytes() for path in (stack.dir / "tls").iterdir()}
    yield stack.dir / "tls"
    for path in (stack.dir / "tls").iterdir():
        path.unlink()
    for name, content in before.items():
        (stack.dir / "tls" / name).write_bytes(content)
    (stack.dir / "tls" / "key.pem").chmod(0o600)


def make_pair(directory, days, names="DNS:localhost,IP:127.0.0.1"):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days),
         "-subj", "/CN=operator", "-addext", f"subjectAltName={names}",
         "-keyout", directory / "key.pem", "-out", directory / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return {name: (directory / name).read_bytes() for name in ("cert.pem", "key.pem")}


def shown(stack):
    """The certificate that is shown to a client."""
    asked = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{stack.port}"], input="", capture_output=True, text=True, timeout=30)
    return re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", asked.stdout, re.S)[0]


def certificate_ends(api):
    found = re.search(r"^berth_certificate_not_after_seconds (\S+)$", api.get("/metrics").text, re.M)
    return float(found[1]) if found else None


@pytest.mark.parametrize("names", ["DNS:localhost,IP:127.0.0.1", "DNS:berth.example.org"])
def test_a_certificate_of_the_operators_is_used_and_never_touched_however_old(stack, tls, names):
    made = make_pair(tls, 3, names)
    stack.run("reload")
    assert shown(stack).encode() in made["cert.pem"]
    done = stack.run("up")
    assert "ok ready" in done.stderr
    assert re.search(r"warning: the certificate \S+/tls/cert.pem is valid until .*: replace it", done.stderr)
    assert {name: (tls / name).read_bytes() for name in made} == made
    assert sorted(path.name for path in tls.iterdir()) == ["cert.pem", "key.pem", "made-here"]

    status = stack.run("status")
    assert re.search(r"^certificate +valid until ", status.stdout, re.M) and "warning: the certificate" in status.stderr


def test_when_the_certificate_ends_is_a_metric_of_what_nginx_shows(stack, api, tls):
    def days():
        ends = certificate_ends(api)
        return ends and (ends - time.time()) / DAY_S

    stack.master().kill(signal.SIGHUP)  # it is looked at at once, and not once a minute
    wait_for("ours to be told", lambda: (d := days()) and d > 300, 70)
    make_pair(tls, 3)
    stack.run("reload")
    stack.master().kill(signal.SIGHUP)
    wait_for("the operator's to be told", lambda: 2 < days() < 4, 70)


def test_half_a_pair_of_the_operators_is_named_and_not_completed(stack, tls):
    made = make_pair(tls, 100)
    (tls / "key.pem").unlink()
    done = stack.run("up", check=False)
    assert done.returncode == 1 and "key.pem is missing" in done.stderr
    assert (tls / "cert.pem").read_bytes() == made["cert.pem"] and not (tls / "key.pem").exists()


def test_a_key_that_is_not_the_certificates_is_named_and_nothing_is_changed(stack, tls, tmp_path):
    made = make_pair(tls, 100)
    (tls / "key.pem").write_bytes(make_pair(tmp_path, 100)["key.pem"])
    done = stack.run("up", check=False)
    assert done.returncode == 1 and "key.pem is not the key of cert.pem" in done.stderr
    assert (tls / "cert.pem").read_bytes() == made["cert.pem"]


def test_one_of_ours_is_renewed_before_it_ends(stack, tls):
    made = make_pair(tls, 3)
    (tls / "made-here").write_text("".join(f"{hashlib.sha256(content).hexdigest()}\n" for content in made.values()))
    assert "made a self-signed one" in stack.run("up").stderr
    renewed = {name: (tls / name).read_bytes() for name in made}
    assert renewed["cert.pem"] != made["cert.pem"] and renewed["key.pem"] != made["key.pem"]
    assert (tls / "key.pem").stat().st_mode & 0o777 == 0o600
    assert shown(stack).encode() in renewed["cert.pem"]
    assert "made a self-signed one" not in stack.run("up").stderr


# nginx


def test_up_ends_what_a_killed_nginx_has_left_and_its_own_holds_the_ports(stack, api, stack_stays):
    os.kill(nginx_pid(stack), signal.SIGKILL)
    orphans = wait_for("its workers to be alone", lambda: listeners(stack.port))
    assert nginx_pid(stack) not in orphans
    status = stack.run("status", check=False)
    assert status.returncode == 3 and "nginx       does not run" in status.stdout
    stack.run("up")
    for port in (stack.port, stack.http_port):
        held = listeners(port)
        assert nginx_pid(stack) in held and not held & orphans
    assert api.get("/healthz").status_code == 200
    assert stack.run("status").returncode == 0


def stderr_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/fd/2")
    except OSError:
        return ""


def test_down_leaves_nothing_of_what_was_killed(stack, stack_stays):
    for name in ("nginx", "berthd", "postgres"):
        os.kill(int((stack.dir / "pids" / name).read_text().split()[0]), signal.SIGKILL)
    assert wait_for("nginx's workers to be alone", lambda: listeners(stack.port))
    done = stack.run("down")
    assert "stopped" in done.stderr
    assert listeners(stack.port) == listeners(stack.http_port) == set()
    assert [p.title for p in processes() if stderr_of(p.pid).startswith(f"{stack.dir}/log/")] == []


def test_what_a_stack_makes_is_what_removing_it_takes_away(stack):
    """quickstart --remove goes by a list; certificate and recipes may be the operator's."""
    lib = f"{os.path.dirname(stack.script)}/lib.sh"
    listed = subprocess.run(["bash", "-c", 'source "$1"; echo "${stack_entries[@]}"', lib, lib], capture_output=True, text=True, check=True)
    made = {path.name for path in stack.dir.iterdir()}
    assert made - set(listed.stdout.split()) == {"recipes", "tls"}


@pytest.mark.parametrize("option", ["--https-port", "--http-port"])
def test_a_port_that_is_taken_is_refused_with_who_has_it_and_is_not_remembered(stack, api, taken, option):
    before = (stack.dir / "options").read_text(), (stack.dir / "berth.conf").read_text()
    done = stack.run("up", option, str(taken), check=False)
    assert done.returncode == 1
    assert re.search(rf"{option}: pid {os.getpid()} \(.*\) listens on port {taken} already", done.stderr)
    assert ((stack.dir / "options").read_text(), (stack.dir / "berth.conf").read_text()) == before
    assert api.get("/healthz").status_code == 200


@pytest.mark.parametrize("arguments", [["--https-port", "99999"], ["--http-port", "65536"], ["--https-port", "x"]])
def test_a_port_that_is_none_is_refused_and_not_remembered(stack, arguments):
    before = (stack.dir / "options").read_text()
    done = stack.run("up", *arguments, check=False)
    assert done.returncode == 2 and arguments[1] in done.stderr
    assert (stack.dir / "options").read_text() == before


def test_a_port_that_was_kept_from_before_is_checked_again(stack, stack_stays):
    options = stack.dir / "options"
    options.write_text(re.sub("^http-port=.*$", "http-port=99999", options.read_text(), flags=re.M))
    done = stack.run("up", check=False)
    assert done.returncode == 2 and "99999" in done.stderr
    assert "ok ready" in stack.run("up", "--http-port", str(free_port())).stderr


def test_an_nginx_that_cannot_bind_is_told_with_its_own_line_and_who_is_in_the_way(stack, stack_stays):
    """`reload` does not choose ports, so it finds out from nginx."""
    pid = nginx_pid(stack)
    os.kill(pid, signal.SIGTERM)
    wait_for("nginx to end", lambda: not listeners(stack.http_port) and not os.path.exists(f"/proc/{pid}"))
    with open(stack.dir / "log" / "nginx.log", "a") as log:
        log.write("a line from long ago\n")
    with socket.create_server(("127.0.0.1", stack.http_port)):
        done = stack.run("reload", check=False)
    assert done.returncode == 1
    assert "nginx did not start" in done.stderr
    assert f"bind() to 127.0.0.1:{stack.http_port} failed (98: Address already in use)" in done.stderr
    assert re.search(rf"port {stack.http_port} is held by pid {os.getpid()} \(", done.stderr)
    assert "a line from long ago" not in done.stderr


def test_the_port_can_be_changed_while_it_runs(stack, stack_stays):
    port = free_port()
    assert "ok ready" in stack.run("up", "--http-port", str(port)).stderr
    assert nginx_pid(stack) in listeners(port)
    wait_for("the old one to be closed", lambda: not listeners(stack.http_port))


# Images


@pytest.fixture
def up_in_background(stack):
    """Starts `stack up`, which waits until all is well; returns what it has said by then."""
    threads = []

    def up(*arguments):
        done = []
        threads.append(threading.Thread(target=lambda: done.append(stack.run("up", *arguments, check=False))))
        threads[-1].start()

        def wait():
            threads[-1].join(150)
            return done[0]

        return wait

    yield up
    for thread in threads:
        thread.join(150)


def image_check(api):
    answer = api.get("/readyz")
    return answer.status_code == 503 and answer.headers["Content-Type"] == "application/json" and answer.json()["checks"]["images"]


def test_while_an_image_is_missing_the_platform_is_not_ready_and_calls_of_its_language_say_why(
    stack, api, deploy, stack_stays, up_in_background
):
    python = deploy(ECHO)
    javascript = deploy("exports.handler = async (event) => event;\n", language="javascript")
    image = f"berth-test-{stack.instance}:1"
    result = up_in_background("--set", f"sandbox.images={PYTHON}={image}")
    try:
        check = wait_for("the missing image to be told", lambda: (c := image_check(api)) and "missing" in c["detail"] and c, 40)
        assert check["status"] == "failed"
        assert PYTHON in check["detail"] and image in check["detail"] and "docker pull" in check["detail"]
        problem = check_problem(api.execute(python, 1), 503, "runtime_unavailable")
        assert f"the image of {PYTHON}, {image}, is missing" in problem["detail"]
        assert api.output(javascript, 2) == 2
        status = stack.run("status", check=False)
        assert status.returncode == 3 and f"images: the image of {PYTHON}, {image}, is missing" in status.stderr
        stack.docker("tag", IMAGE, image)
        assert "ok ready" in result().stderr
        assert api.output(python, 3) == 3
    finally:
        stack.docker("rmi", "--no-prune", image, check=False)


def test_while_the_image_of_another_version_is_missing_the_platform_is_ready_and_only_that_version_is_refused(stack, api, deploy, stack_stays):
    other = next(v["version"] for v in LANGUAGES["python"]["versions"] if v["version"] != VERSION["version"])
    body = {"name": unique("missing"), "language": "python", "language_version": other, "code": ECHO}
    stack.run("up", "--set", f"sandbox.images=python-{other}=berth-test-{stack.instance}:2")
    assert set(api.get("/readyz").json()["pool"]["images"]) == {default_label(language) for language in LANGUAGES}
    problem = check_problem(api.post("/functions", json=body), 503, "runtime_unavailable")
    assert f"the image of python-{other}, " in problem["detail"] and "is missing" in problem["detail"]
    assert api.get("/readyz").status_code == 200
    assert api.output(deploy(ECHO), 1) == 1


@pytest.fixture
def recipe(stack, stack_stays):
    """Puts a recipe of the operator's in place, whose image is there already: that of Berth's, under another name."""
    file = stack.dir / "recipes" / PYTHON
    image = f"{IMAGE}-{stack.instance}"

    def put(text):
        file.write_text(text)
        script = f"{os.path.dirname(stack.script)}/images"
        # As scripts/images does it.
        wanted = subprocess.run(
            ["bash", "-c", 'eval "$(sed -n "/^excluded=/,/^for label/p" "$1" | sed "\\$d")"; recipe_hash "$2"', "-", script, file],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        container = stack.docker("create", IMAGE, "true").strip()
        stack.docker("commit", "--change", f"LABEL berth.recipe={wanted}", container, image)
        stack.docker("rm", container)
        return image

    yield put
    file.unlink(missing_ok=True)
    stack.run("up")
    stack.docker("rmi", "-f", image, check=False)


def test_a_recipe_of_the_operators_has_an_image_of_its_own_and_survives_an_installation(stack, api, deploy, recipe):
    installed = stack.dir / "install/libexec/berth/runtimes/python/image" / VERSION["version"]
    ours = installed.read_text()
    theirs = stack.docker("image", "inspect", "-f", "{{.Id}}", IMAGE)
    installed.write_text(ours + "# edited where Berth's own is\n")
    edited = recipe(ours + "# edited where Berth's own is\n")
    (stack.dir / "recipes" / PYTHON).unlink()

    build = os.environ["BERTH_BUILD"]
    done = stack.run("up", "--build", build)
    assert "was edited" in done.stderr and f"recipes/{PYTHON}" in done.stderr
    assert (stack.dir / "recipes" / PYTHON).read_text() == ours + "# edited where Berth's own is\n"
    assert installed.read_text() == ours
    assert f"images = {PYTHON}={edited} " in (stack.dir / "berth.conf").read_text()
    function = deploy(ECHO, runtime="docker")
    assert api.output(function, 1) == 1
    assert edited in {container["Config"]["Image"] for container in stack.inspect_all()}
    assert stack.docker("image", "inspect", "-f", "{{.Id}}", IMAGE) == theirs
    stack.run("up", "--build", build)
    assert (stack.dir / "recipes" / PYTHON).read_text() == ours + "# edited where Berth's own is\n"
