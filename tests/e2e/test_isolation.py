"""A sandbox is closed on all sides: the hardening list item by item, and what a function can see and do in it."""

import pytest
from support import PYTHON_SANDBOX_ID, RUNTIMES

MB = 1 << 20

# Runs the code it is sent, so that each test can look from inside.
PROBE = """
def handler(event, context):
    scope = {}
    exec(event, scope)
    return scope["result"]
"""

# "errno" when an attempt to do this fails, else what it gave
ATTEMPT = """
def attempt(do):
    try:
        return do()
    except OSError as error:
        import errno
        return errno.errorcode[error.errno]
"""


@pytest.fixture(scope="module")
def probe(deploy_once, runtime):
    return deploy_once(PROBE, runtime=runtime, timeout_ms=10000, memory_limit_mb=160, tmp_mb=16, cpus=0.5)


@pytest.fixture
def look(api, probe):
    """Runs code in the sandbox and returns its `result`."""
    return lambda code: api.output(probe, ATTEMPT + code)


@pytest.fixture(scope="module")
def container(api, probe, stack):
    """docker inspect of the function's live sandbox."""
    return stack.container_of_user(api.output(probe, "import os\nresult = os.getuid()"))


@pytest.fixture
def host_config(container):
    return container["HostConfig"]


# What Docker was told


def test_it_runs_on_the_runtime_that_the_function_names(host_config, runtime):
    assert host_config["Runtime"] == RUNTIMES[runtime]


def test_all_capabilities_are_dropped_and_none_can_be_gained(host_config, look):
    assert host_config["CapDrop"] == ["ALL"]
    assert not host_config["CapAdd"]
    assert not host_config["Privileged"]
    assert "no-new-privileges" in host_config["SecurityOpt"]
    status = look("result = dict(l.split(':\\t') for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)")
    held = {name: int(value, 16) for name, value in status.items() if name.startswith("Cap")}
    assert held.keys() >= {"CapInh", "CapPrm", "CapEff", "CapBnd"}
    assert set(held.values()) == {0}
    assert status.get("NoNewPrivs", "1") == "1"  # gVisor does not show it


def test_the_system_calls_are_filtered_by_the_default_profile(host_config, look, runtime):
    assert not any("seccomp" in option for option in host_config["SecurityOpt"])
    if runtime == "gvisor":
        return  # no system call of the function reaches the host's kernel
    status = look("result = [l for l in open('/proc/self/status') if l.startswith('Seccomp:')]")
    assert status[0].split() == ["Seccomp:", "2"]


def test_the_root_is_read_only_and_only_tmp_can_be_written(host_config, look):
    assert host_config["ReadonlyRootfs"] is True
    places = ["/x", "/etc/x", "/usr/x", "/var/x", "/root/x", "/berth/x", "/berth/function/x", "/opt/berth/x", "/run/x"]
    code = f"result = {{p: attempt(lambda: open(p, 'w').write('x')) for p in {places}}}"
    assert set(look(code).values()) <= {"EROFS", "EACCES", "ENOENT"}
    assert look("result = attempt(lambda: open('/tmp/x', 'w').write('x'))") == 1
    assert look("result = attempt(lambda: open('/berth/function/main.py', 'a').write('x'))") in ("EROFS", "EACCES")


def test_the_mounts_are_its_own_files_and_the_runtimes_read_only(container, stack, runtime):
    mounts = {m["Destination"]: m for m in container["Mounts"]}
    sandbox = container["Config"]["Labels"]["berth.sandbox"]
    if runtime == "gvisor":
        assert mounts.pop("/tmp")["Driver"] == "local"  # a tmpfs: the test of its limits
    own = {"/berth": "berth", "/etc/passwd": "passwd", "/etc/group": "group"}
    assert set(mounts) == {*own, "/opt/berth"}
    assert not any(m["RW"] for m in mounts.values())
    for target, name in own.items():
        assert mounts[target]["Source"] == f"{stack.dir}/state/sandboxes/{sandbox}/{name}"
    assert all(m["Propagation"] == "rprivate" for m in mounts.values())


def test_every_sandbox_has_a_user_id_of_its_own(stack, look, container):
    users = [c["Config"]["User"] for c in stack.inspect_all()]
    assert len(users) == len(set(users)) >= 2
    uid, _, gid = container["Config"]["User"].partition(":")
    assert uid == gid and int(uid) >= int(stack.settings()["sandbox.uid_base"])
    assert look("import os\nresult = [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]")[:3] == [int(uid)] * 3


def test_there_is_no_network(host_config, look):
    assert host_config["NetworkMode"] == "none"
    assert look("result = [l.split(':')[0].strip() for l in open('/proc/net/dev') if ':' in l]") == ["lo"]
    code = """
import socket
def reach(address):
    with socket.socket() as s:
        s.settimeout(2)
        s.connect(address)
        return "connected"
result = [attempt(lambda: reach(a)) for a in [("192.0.2.1", 80), ("172.17.0.1", 22)]]
"""
    assert set(look(code)) <= {"ENETUNREACH", "EHOSTUNREACH"}


def test_the_hosts_loopback_is_not_the_sandboxs(look, stack):
    code = f"""
import socket
s = socket.socket()
result = attempt(lambda: s.connect(("127.0.0.1", {stack.port})))
"""
    assert look(code) == "ECONNREFUSED"


def test_memory_is_limited_and_there_is_no_swap(host_config, look):
    own = 0 if host_config["Runtime"] == "runc" else 16  # of gVisor's kernel, beside the function's limit
    assert host_config["Memory"] == host_config["MemorySwap"] == (160 + own) * MB
    assert host_config["OomKillDisable"] in (False, None)


def test_cpu_processes_and_files_are_limited(host_config, stack, look):
    settings = stack.settings()
    assert host_config["NanoCpus"] == 500_000_000
    pids = int(settings["limits.pids_default"])
    assert host_config["PidsLimit"] == (pids if host_config["Runtime"] == "runc" else 64 + 4 * pids)
    limits = {u["Name"]: (u["Soft"], u["Hard"]) for u in host_config["Ulimits"]}
    nofile = int(settings["limits.nofile_default"])
    assert limits == {
        "nofile": (nofile, nofile), "nproc": (pids, pids), "core": (0, 0), "fsize": (16 * MB, 16 * MB),
    }  # fmt: skip
    code = """
import resource
result = [resource.getrlimit(r) for r in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)]
"""
    assert look(code) == [[nofile] * 2, [0, 0], [16 * MB] * 2]


def test_a_fork_bomb_ends_at_the_limit_of_processes(look, runtime, stack):
    if runtime == "gvisor":
        pytest.skip("there it ends the sandbox: test_limits.py")
    code = """
import os, signal
children = []
def bomb():
    while True:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
result = [attempt(bomb), len(children)]
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""
    error, count = look(code)
    assert error == "EAGAIN"
    assert count < int(stack.settings()["limits.pids_default"])


def test_tmp_is_limited_in_size_and_in_files(host_config, look, runtime, stack):
    inodes = int(stack.settings()["limits.tmp_inodes_default"])
    if runtime == "docker":
        options = host_config["Tmpfs"]["/tmp"]
    else:  # gVisor's own tmpfs counts no files
        (volume,) = [m for m in host_config["Mounts"] if m["Target"] == "/tmp"]
        assert volume["VolumeOptions"]["DriverConfig"]["Options"]["type"] == "tmpfs"
        options = volume["VolumeOptions"]["DriverConfig"]["Options"]["o"]
    assert set(options.split(",")) >= {"size=16m", f"nr_inodes={inodes}", "nosuid", "nodev"}
    code = """
import os, shutil
os.mkdir("/tmp/full")
def fill():
    for n in range(3):
        with open(f"/tmp/full/{n}", "wb") as f:
            f.write(b"x" * (8 << 20))
    return "not full"
result = attempt(fill)
shutil.rmtree("/tmp/full")
"""
    assert look(code) == "ENOSPC"
    code = f"""
import os, shutil
os.mkdir("/tmp/many")
def fill():
    for n in range({inodes} + 1):
        os.close(os.open(f"/tmp/many/{{n}}", os.O_CREAT | os.O_WRONLY))
    return "not full"
result = attempt(fill)
shutil.rmtree("/tmp/many")
"""
    assert look(code) == "ENOSPC"


def test_programs_and_native_libraries_in_tmp_run(look):
    code = """
import ctypes, glob, os, shutil, subprocess
(library,) = glob.glob("/usr/lib/*/libz.so.1")
shutil.copy(shutil.which("echo"), "/tmp/program")
shutil.copy(library, "/tmp/library.so")
with open("/tmp/script", "w") as script:
    script.write("#!/bin/sh\\nexec /tmp/program script\\n")
os.chmod("/tmp/script", 0o755)
zlib = ctypes.CDLL("/tmp/library.so")
zlib.zlibVersion.restype = ctypes.c_char_p
result = [subprocess.run(c, capture_output=True, text=True).stdout for c in (["/tmp/program", "hi"], ["/tmp/script"])]
result.append(zlib.zlibVersion().decode()[:2])
for name in ("program", "library.so", "script"):
    os.unlink("/tmp/" + name)
"""
    assert look(code) == ["hi\n", "script\n", "1."]


def test_tmp_may_have_512_mb(api, deploy, runtime):
    code = """
import os
def handler(event, context):
    with open("/tmp/full", "wb", buffering=0) as file:
        for _ in range(511):
            file.write(bytes(1 << 20))
    size = os.path.getsize("/tmp/full")
    os.unlink("/tmp/full")
    return size
"""
    large = deploy(code, runtime=runtime, timeout_ms=60000, memory_limit_mb=700, tmp_mb=512)
    assert api.output(large) == 511 * MB


def test_docker_keeps_no_log_and_never_restarts(host_config):
    assert host_config["LogConfig"]["Type"] == "none"
    assert host_config["RestartPolicy"]["Name"] in ("no", "")


def test_ipc_is_private_and_shared_memory_is_limited_by_memory_alone(host_config, api, deploy, look, runtime):
    assert host_config["IpcMode"] == "private"
    assert host_config["CgroupnsMode"] == "private"
    assert host_config["PidMode"] == host_config["UTSMode"] == ""
    assert host_config["ShmSize"] == 160 * MB
    assert look("import os\ns = os.statvfs('/dev/shm')\nresult = s.f_blocks * s.f_frsize") == 160 * MB
    code = """
import multiprocessing
def fill(shared):
    shared[:] = bytes([7]) * len(shared)
context = multiprocessing.get_context("fork")
shared = context.RawArray("B", 12 << 20)
pool = context.Process(target=fill, args=(shared,))
pool.start()
pool.join()
from multiprocessing import shared_memory
memory = shared_memory.SharedMemory(create=True, size=12 << 20)
memory.buf[:] = bytes(12 << 20)
memory.close()
memory.unlink()
result = [pool.exitcode, shared[0], shared[-1], attempt(lambda: context.RawArray("B", 17 << 20))]
"""
    # Of its own, because multiprocessing leaves a process behind. A file has at most the size of /tmp.
    other = deploy(PROBE, runtime=runtime, timeout_ms=10000, memory_limit_mb=160, tmp_mb=16, cpus=0.5)
    assert api.output(other, ATTEMPT + code) == [0, 7, 7, "EFBIG"]


def test_an_init_process_reaps_what_functions_leave(host_config, look):
    assert host_config["Init"] is False  # the launcher is it
    assert look("result = open('/proc/1/cmdline').read()").startswith("/opt/berth/launcher\0")
    code = """
import os, subprocess, time
result = int(subprocess.run(["sh", "-c", "sleep 0.1 >/dev/null & echo $!"], capture_output=True, text=True).stdout)
while os.path.exists(f"/proc/{result}"):
    time.sleep(0.01)
"""
    assert look(code) > 0  # it has ended, and its parent before it


def test_the_labels_name_instance_and_sandbox(container, stack):
    labels = container["Config"]["Labels"]
    assert labels["berth.instance"] == stack.instance
    assert labels["berth.sandbox"] in stack.sandbox_directories()


# What it looks like from inside


def test_its_user_and_group_have_names_and_its_host_name_has_an_address(look):
    code = """
import getpass, grp, os, pwd, socket
user, host = pwd.getpwuid(os.getuid()), socket.gethostname()
result = [
    getpass.getuser(), user.pw_name, user.pw_dir, user.pw_shell, grp.getgrgid(os.getgid()).gr_name,
    os.path.expanduser("~"), os.path.expanduser("~sandbox"), host, socket.gethostbyname(host),
    pwd.getpwuid(0).pw_name, pwd.getpwuid(65534).pw_name,
]
"""
    named = look(f"{code}\nkept = dict(os.environ)\nos.environ.clear()\nresult[5] = os.path.expanduser('~')\nresult[0] = getpass.getuser()\nos.environ.update(kept)")
    assert look(code) == named  # with and without the variables HOME and USER
    assert named == [
        "sandbox", "sandbox", "/tmp", "/bin/sh", "sandbox", "/tmp", "/tmp", "sandbox", "127.0.0.1", "root", "nobody",
    ]  # fmt: skip


def test_os_user_info_works(api, deploy, runtime):
    code = "exports.handler = () => { const { username, homedir, shell } = require('os').userInfo(); return [username, homedir, shell]; };"
    assert api.output(deploy(code, language="javascript", runtime=runtime)) == ["sandbox", "/tmp", "/bin/sh"]


def test_a_function_sees_its_own_processes_only(look):
    code = """
import os
result = [open(f"/proc/{p}/cmdline").read() for p in os.listdir("/proc") if p.isdigit()]
"""
    assert all("init" in title or "agent.py" in title for title in look(code))


def test_a_function_sees_its_own_files_only(api, look, deploy, runtime):
    other = deploy("SECRET = 'of another function'\ndef handler(event, context):\n    return 1\n", runtime=runtime)
    assert api.output(other) == 1
    code = "import os\nresult = [os.listdir('/berth'), os.listdir('/berth/function'), sorted(os.listdir('/opt/berth'))]"
    berth, function, runtimes = look(code)
    assert berth == ["function"]  # neither socket can be connected to again
    assert function == ["main.py"]
    assert set(runtimes) >= {"launcher", "python"}
    found = """
import os
result = []
for top in ("/berth", "/tmp", "/var", "/home", "/opt", "/mnt", "/srv", "/run"):
    for directory, _, files in os.walk(top):
        for name in files:
            try:
                if b"of another " b"function" in open(os.path.join(directory, name), "rb").read():
                    result.append(os.path.join(directory, name))
            except OSError:
                pass
"""
    assert look(found) == []


def test_there_is_no_secret_of_the_platform_inside(look, stack):
    code = """
import os
targets = {}
for n in os.listdir("/proc/self/fd"):
    try:
        targets[n] = os.readlink(f"/proc/self/fd/{n}")
    except OSError:
        pass  # the one that listed them
result = [dict(os.environ), targets]
"""
    environment, targets = look(code)
    of_lambda = {name for name in environment if name.startswith(("AWS_", "LAMBDA_"))} | {"_HANDLER", "_X_AMZN_TRACE_ID"}
    usual = {"PATH", "HOME", "LANG", "HOSTNAME", "LC_CTYPE", "PWD", "USER", "LOGNAME", "SHLVL", "TZ"}
    assert "AWS_LAMBDA_FUNCTION_NAME" in environment and set(environment) <= usual | of_lambda
    assert not any("SECRET" in name or "TOKEN" in name or "KEY" in name for name in of_lambda)  # such as AWS_ACCESS_KEY_ID
    # Nothing, what it prints to, and the agent's control socket; the agent has a second descriptor for what it prints to.
    assert targets["0"] == "/dev/null" or targets["0"].startswith("socket:")
    assert len(targets) <= 6
    assert set(targets.values()) == {targets[n] for n in "0123"}
    assert not look("import os\nresult = os.path.exists('/var/run/docker.sock')")


def test_what_one_function_leaves_in_tmp_no_other_finds(api, look, deploy, runtime):
    look("result = open('/tmp/left', 'w').write('x')")
    other = deploy(PROBE, runtime=runtime, timeout_ms=10000, memory_limit_mb=160, tmp_mb=16, cpus=0.5)
    assert api.output(other, "import os\nresult = os.listdir('/tmp')") == []


def test_no_sandbox_serves_two_functions_or_two_versions(api, deploy, load):
    code = PYTHON_SANDBOX_ID + (
        "def handler(event, context):\n    return [context.function_name, context.function_version, sandbox_id()]\n"
    )
    functions = [deploy(code) for _ in range(3)]
    loads = [load(lambda f=f: api.execute(f), threads=2) for f in functions]
    for round_ in range(3):
        for one in loads:
            one.wait_for_more(10)
        for f in functions:
            assert api.put(f"/functions/{f['id']}", json={"environment": {"ROUND": str(round_)}}).status_code == 200
    owners = {}
    for one in loads:
        one.wait_for_more(5)
        one.stop()
        assert one.failed() == []
        for answer in one.answers:
            name, version, sandbox = answer.output
            owners.setdefault(sandbox, set()).add((name, version))
    assert {sandbox: o for sandbox, o in owners.items() if len(o) > 1} == {}
    assert len(owners) >= 12


def test_a_spare_is_hardened_like_the_others(stack):
    found = [container["HostConfig"] for container in stack.inspect_all()]
    assert found
    for config in found:
        assert config["NetworkMode"] == "none"
        assert config["ReadonlyRootfs"] and config["CapDrop"] == ["ALL"] and not config["PortBindings"]
