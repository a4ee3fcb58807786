"""
All attacks, one row each. A row is the attack's class and name (attacks/<class>/<name>), what it comes to on each runtime, and what
differs from the usual settings of a function.

    python3 table.py    prints the table of README.md
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import checks  # noqa: E402
from expect import Limit, Output, Problem, Refused  # noqa: E402

RUNTIMES = ("docker", "gvisor")
LANGUAGES = {  # by what the names of their files end in
    Path(language["source_file"]).suffix: language["language"]
    for language in (json.loads(file.read_text()) for file in (HERE.parents[1] / "runtimes").glob("*/runtime.json"))
}

# Small, so that limits are reached at once; the same for all where that is possible, so that spares serve them.
SETTINGS = {
    "timeout_ms": 1000, "memory_limit_mb": 128, "cpus": 1, "pids": 64, "tmp_mb": 16, "tmp_inodes": 512, "nofile": 256,
    "response_bytes": 65536, "log_bytes": 4096,
}  # fmt: skip


class Attack:
    def __init__(self, name, docker, gvisor=None, event="attack", then=None, *, held_by, **settings):
        """
        held_by  what holds it off; "gVisor: …" what does so there, where that is not the same
        gvisor   what it comes to there, when not the same as on docker
        event    what the function is sent, or what makes that of the stack; "behave" is kept for afterwards
        then     a check of checks.py that looks at more than the answer
        """
        self.name, self.event, self.then, self.held_by = name, event, then, held_by
        self.expected = {"docker": docker, "gvisor": gvisor or docker}
        self.settings = SETTINGS | settings
        self.path = HERE / "attacks" / name
        self.label = name + (" with egress" if settings.get("network") == "egress" else "")
        self.language = LANGUAGES[self.path.suffix]

    def code(self):
        shared = (HERE / "attacks" / "common.py").read_text() if self.language == "python" else ""
        return f"{self.path.read_text()}\n\n{shared}"

    def tries(self):
        """What its first line says."""
        return self.path.read_text().partition("\n")[0].lstrip("#/ ")


def with_and_without_egress(*args, held_by, with_egress=None, **settings):
    held = {"none": held_by, "egress": with_egress or held_by}
    return [Attack(*args, network=network, held_by=held[network], **settings) for network in held]


OUT_OF_TIME = Problem("function_timeout", limit_ms=SETTINGS["timeout_ms"])
OUT_OF_MEMORY = Problem("out_of_memory", limit_mb=SETTINGS["memory_limit_mb"])
# Which process the kernel ends for a lack of memory, a child or the function's first one, is a race.
OUT_OF_TIME_OR_MEMORY = Problem("function_timeout", "out_of_memory")
EXITED = Problem("sandbox_exited")
INVALID = Problem("invalid_output")
TOO_LARGE = Problem("response_too_large", limit=SETTINGS["response_bytes"])
# gVisor's kernel is a process of the host in the same cgroup: what runs out of processes, or memory, is that kernel.
KERNEL_ENDS = Problem("sandbox_exited", "out_of_memory", "function_timeout")

# What holds off several of them.
CLOCK = "the worker's clock: at the deadline the whole cgroup is killed"
MEMORY = "memory cgroup of all its processes and tmpfs, without swap; gVisor: the same, around its kernel"
FREEZER = "freezer: a sandbox that works on between invocations is frozen as soon as that is seen; its cgroup's cpu time is billed"
FRAMES = "the worker's frame decoder; the sandbox is destroyed"
ANSWERS = "the worker, for which an answer bears the invocation's id; a second foreign one destroys the sandbox"
MOUNTS = "mount namespace: the sockets are not there"
NO_NETWORK = "network namespace with nothing but loopback"
RULES = "rules in the instance's network namespace (scripts/egress)"
LOG = "the worker keeps log_bytes, counts the rest and drops it"
ENCODER = "the agent, whose JSON encoder fails"
SCAN = "the worker's JSON scanner (fcgi/base/json_scan.h)"
SIZE = "the agent, which counts before it sends; behind it the worker's bound on a frame"
ENDS = "the launcher, which tells the exit code; the sandbox is destroyed"
VERSION = "poolmgr: a sandbox serves one version of one function, and is destroyed with it"
LEFT_BEHIND = "what is printed between invocations is kept with the one that left it, up to its log_bytes"


ATTACKS = [
    Attack(
        "processes/fork_bomb.py", OUT_OF_TIME_OR_MEMORY, KERNEL_ENDS,
        held_by=f"pids cgroup, memory cgroup; {CLOCK}; gVisor: its own RLIMIT_NPROC, and the same cgroups around its kernel",
    ),
    Attack(
        "processes/fork_limit.py", Limit("EAGAIN", children=64), KERNEL_ENDS,
        held_by="pids cgroup, RLIMIT_NPROC; gVisor: memory cgroup around its kernel, before its own RLIMIT_NPROC (below)",
    ),
    Attack(
        "processes/daemon.py", Output("left"),
        held_by="PID namespace and cgroup, which it cannot leave; freezer between invocations; it ends with the sandbox",
    ),
    Attack("processes/new_sessions.py", OUT_OF_TIME, held_by=CLOCK),
    Attack("processes/deaf.py", OUT_OF_TIME, held_by=f"{CLOCK}, by SIGKILL"),
    Attack(
        "processes/kill_everybody.py", Problem("sandbox_exited", signal="SIGKILL"), EXITED,
        held_by="PID namespace, a uid for each sandbox; gVisor: its own kernel",
    ),
    Attack("processes/thread_bomb.py", Limit("EAGAIN", threads=64), held_by="pids cgroup, RLIMIT_NPROC; gVisor: its own RLIMIT_NPROC"),
    Attack("processes/worker_bomb.js", KERNEL_ENDS, held_by=f"pids cgroup, memory cgroup; {CLOCK}"),
    Attack(
        "processes/crash.py", Problem("sandbox_exited", signal="SIGSEGV"), EXITED,
        held_by="RLIMIT_CORE of 0; the launcher tells the signal; gVisor: its own kernel, which writes no core",
    ),
    #
    Attack("memory/malloc_bomb.py", OUT_OF_MEMORY, held_by=MEMORY),
    Attack("memory/slow_touch.py", OUT_OF_MEMORY, timeout_ms=3000, held_by=MEMORY),
    Attack("memory/many_processes.py", OUT_OF_TIME_OR_MEMORY, OUT_OF_MEMORY, held_by=MEMORY),
    Attack("memory/tmp_beyond_memory.py", OUT_OF_MEMORY, timeout_ms=3000, tmp_mb=256, held_by=MEMORY),
    Attack("memory/shared_memory.py", OUT_OF_MEMORY, timeout_ms=3000, held_by=MEMORY),
    Attack("memory/heap_bomb.js", OUT_OF_MEMORY, timeout_ms=1500, held_by=MEMORY),
    Attack("memory/buffer_bomb.js", OUT_OF_MEMORY, held_by=MEMORY),
    #
    Attack("cpu/spin.py", OUT_OF_TIME, held_by=CLOCK),
    Attack("cpu/big_numbers.py", OUT_OF_TIME, held_by=f"{CLOCK}: nothing in the sandbox is asked"),
    Attack("cpu/regular_expression.py", OUT_OF_TIME, held_by=CLOCK),
    Attack("cpu/spin_in_children.py", OUT_OF_TIME, held_by=f"cgroup cpu quota for all of them; {CLOCK}"),
    Attack("cpu/spin_between.py", Output("left", means="billed, and frozen"), then=checks.is_billed, held_by=FREEZER),
    Attack("cpu/spin_between.js", Output("left", means="billed, and frozen"), then=checks.is_billed, memory_limit_mb=256, held_by=FREEZER),
    Attack("cpu/blocked_loop.js", OUT_OF_TIME, held_by=CLOCK),
    Attack("cpu/microtasks.js", OUT_OF_TIME, held_by=CLOCK),
    Attack("cpu/regular_expression.js", OUT_OF_TIME, held_by=CLOCK),
    Attack("cpu/never_settles.js", OUT_OF_TIME, held_by=CLOCK),
    #
    Attack("disk/fill_tmp.py", Limit("ENOSPC", written_mb=16), held_by="size of the tmpfs at /tmp"),
    Attack(
        "disk/inodes.py", Limit("ENOSPC", files=512),
        held_by="nr_inodes of the tmpfs at /tmp; gVisor: the same, since its /tmp is one of the host's",
    ),
    Attack("disk/sparse_file.py", Refused(errors={"EFBIG", "ENOSPC"}), held_by="RLIMIT_FSIZE, size of the tmpfs at /tmp"),
    Attack("disk/write_root.py", Refused(), held_by="read-only root, read-only mounts, a uid that owns nothing"),
    Attack("disk/write_function.py", Refused(), then=checks.code_is_unchanged, held_by="read-only mount, a uid that does not own it"),
    #
    Attack("descriptors/exhaust.py", Limit("EMFILE", opened=256), held_by="RLIMIT_NOFILE; gVisor: its own"),
    Attack(
        "descriptors/reconnect.py", Refused(),
        held_by="poolmgr, which closes and removes both sockets once the launcher has connected; none is opened through /proc",
    ),
    Attack("descriptors/garbage.py", EXITED, held_by=FRAMES),
    Attack(
        "descriptors/huge_frame.py", EXITED,
        held_by="bound on the length in the worker's frame decoder, before anything is reserved; the sandbox is destroyed",
    ),
    Attack("descriptors/unfinished_frame.py", OUT_OF_TIME, held_by=CLOCK),
    Attack("descriptors/drip.py", OUT_OF_TIME, held_by=f"{CLOCK}; bound on the length in the worker's frame decoder"),
    Attack("descriptors/forged_frame.py", EXITED, held_by="the worker, which takes only what is due; the sandbox is destroyed"),
    Attack(
        "descriptors/forged_result.py", Output("forged", means="its own answer, given once"), then=checks.answers_are_its_own,
        held_by=ANSWERS,
    ),
    Attack("descriptors/forged_request.py", EXITED, held_by=ANSWERS),
    Attack(
        "descriptors/forged_early.py", Output("forged", means="its own answer, given once"), then=checks.same_name_is_no_answer,
        held_by=ANSWERS,
    ),
    Attack(
        "descriptors/forged_early.js", Output("forged", means="its own answer, given once"), then=checks.same_name_is_no_answer,
        held_by=ANSWERS,
    ),
    Attack("descriptors/forged_next.py", Output("wait for it"), then=checks.answers_are_its_own, held_by=ANSWERS),
    Attack(
        "descriptors/pass_descriptors.py",
        Output({"error": None}, {"error": "ETOOMANYREFS"}, means="sent, and dropped"),
        Limit("EINVAL"),
        held_by="the worker reads without room for descriptors, so the kernel drops them; gVisor: its own kernel passes none to the host",
    ),
    Attack("descriptors/shut_down.py", EXITED, held_by="the worker, for which the connection's end is the sandbox's; it is destroyed"),
    #
    Attack("kernel/mount.py", Refused(), held_by="no capabilities, seccomp; gVisor: its own kernel"),
    Attack(
        "kernel/namespaces.py", Refused(), Refused(own=["unshare user", "unshare cgroup", "unshare user and mount"]),
        held_by="seccomp, no capabilities; gVisor: namespaces of its own kernel, which are nothing on the host",
    ),
    Attack(
        "kernel/ptrace.py", Refused(own=["seize", "mem", "readv", "environ", "root"]), Refused(own=["environ"]),
        held_by="PID namespace, in which only its init and its own processes are; the launcher is not dumpable; gVisor: its own kernel",
    ),
    Attack(
        "kernel/keyctl.py", Refused(), Refused(own=["session keyring"]),
        held_by="seccomp; gVisor: its own kernel, which has no keys of others",
    ),
    Attack("kernel/bpf.py", Refused(), held_by="seccomp, no capabilities; gVisor: its own kernel, which does not have them"),
    Attack("kernel/io_uring.py", Refused(), held_by="the launcher's seccomp filter"),
    Attack("kernel/raw_sockets.py", Refused(), held_by="no capabilities; gVisor: its own kernel"),
    Attack("kernel/vsock.py", Refused(), held_by="the launcher's seccomp filter"),
    Attack(
        "kernel/proc_and_sys.py", Refused(), Refused(own=["oom_score_adj"]),
        held_by="read-only /proc/sys, /sys and cgroups, MaskedPaths, no capabilities; gVisor: files of its own kernel",
    ),
    Attack(
        "kernel/look_at_host.py", Refused(), Refused(own=["cgroups", "class", "cmdline", "loadavg"]),
        held_by="MaskedPaths; gVisor: files of its own kernel",
    ),
    Attack(
        "kernel/release_agent.py", Refused(),
        held_by="read-only cgroups, cgroup namespace, a uid that owns none; gVisor: cgroups of its own kernel",
    ),
    Attack("kernel/become_root.py", Refused(), held_by="empty bounding set, no_new_privs"),
    Attack(
        "kernel/devices.py", Refused(), Refused(own=["fuse", "net/tun"]),
        held_by="no capabilities, nodev on /tmp, a /dev without them; gVisor: devices of its own kernel",
    ),
    Attack("kernel/privileged_calls.py", Refused(), Refused(own=["nice"]), held_by="no capabilities, seccomp; gVisor: its own kernel"),
    #
    *with_and_without_egress("network/docker_socket.py", Refused(), held_by=MOUNTS),
    *with_and_without_egress("network/metadata.py", Refused(), held_by=NO_NETWORK, with_egress=f"{RULES}: link-local addresses are shut"),
    *with_and_without_egress(
        "network/gateway.py", Refused(), event=checks.addresses,
        held_by=NO_NETWORK, with_egress=f"{RULES}: private addresses, and all that the host has, are shut",
    ),
    *with_and_without_egress(
        "network/host_loopback.py", Refused(), event=checks.addresses,
        held_by=f"network namespace: loopback is its own; {MOUNTS}",
    ),
    *with_and_without_egress(
        "network/other_sandboxes.py", Refused(found=["lo", "eth0"]), event=checks.addresses,
        held_by=f"{MOUNTS}; network namespace, for abstract sockets; gVisor: its own kernel",
    ),
    *with_and_without_egress(
        "network/other_addresses.py", Refused(),
        held_by=NO_NETWORK, with_egress=f"{RULES}: nothing goes from one sandbox to another, or to the gateway",
    ),
    Attack(
        "network/another_address.py", Refused(), Refused(own=["address as root of its own", "route as root of its own"]),
        held_by="no capabilities, and seccomp against a user namespace with some; gVisor: its own kernel, whose network leads nowhere",
    ),  # fmt: skip
    Attack(
        "network/another_address.py", Refused(), network="egress",
        held_by="no capabilities, and seccomp against a user namespace with some; gVisor: its own kernel; behind both rp_filter in the "
        "instance's network namespace",
    ),  # fmt: skip
    #
    Attack(
        "output/log_flood.py", Output("printed", means="the log is cut"), then=checks.log_is_cut_of(64 << 20), timeout_ms=5000,
        held_by=LOG,
    ),
    Attack("output/endless_log.py", OUT_OF_TIME, then=checks.log_is_cut, held_by=f"{LOG}; {CLOCK}"),
    Attack(
        "output/log_no_newline.py", Output("printed", means="the log is cut"), then=checks.log_is_cut_of(4 << 20), timeout_ms=3000,
        held_by=LOG,
    ),
    Attack(
        "output/many_secrets.py", Output("printed", means="masked at once"), then=checks.log_is_masked_at_once,
        environment={f"TOKEN{n}": "aaaaaaab" for n in range(1434)}, log_bytes=1 << 20, timeout_ms=5000,
        held_by="the worker looks for all secrets in one pass (fcgi/output/mask.h)",
    ),  # fmt: skip
    Attack(
        "output/log_binary.py", Output("printed", means="kept as it is"), then=checks.log_is_binary,
        held_by="the worker takes it for bytes, and so does the database; it is text only where it is shown",
    ),
    Attack(
        "output/terminal_escapes.py", Problem("function_error"), then=checks.platform_log_is_clean,
        held_by="escapes in the platform's log (fcgi/base/log.h) and in JSON; a function's log is not in it",
    ),
    Attack("output/deep_result.py", INVALID, held_by=ENCODER),
    Attack("output/deep_result.js", INVALID, held_by=ENCODER),
    Attack("output/deep_frame.py", INVALID, held_by=f"{SCAN}, which bounds the depth"),
    Attack("output/not_a_number.py", INVALID, held_by=ENCODER),
    Attack("output/invalid_utf8.py", INVALID, held_by=SCAN),
    Attack("output/splice.py", INVALID, held_by=f"{SCAN}: one value, and nothing behind it"),
    Attack(
        "output/lone_surrogates.py", Output("\ud83d \udc00 \0", means="escaped"),
        held_by="the agent writes escapes, and the worker passes them on unparsed",
    ),
    Attack("output/throwing_json.js", INVALID, held_by=ENCODER),
    Attack("output/huge_result.py", TOO_LARGE, held_by=SIZE),
    Attack("output/huge_result.js", TOO_LARGE, held_by=SIZE),
    Attack(
        "output/huge_error.py", Problem("function_error"), then=checks.answer_is_short,
        held_by="the agent cuts it, and so does the worker (fcgi/run/agent_error.h)",
    ),
    Attack("output/sys_exit.py", Problem("sandbox_exited", exit_code=3), EXITED, held_by=ENDS),
    Attack("output/os_exit.py", Problem("sandbox_exited", exit_code=0), EXITED, held_by=ENDS),
    Attack("output/process_exit.js", Problem("sandbox_exited", exit_code=3), EXITED, held_by=ENDS),
    Attack(
        "output/late_exception.js", Output("answered"), then=checks.rests,
        held_by="the agent ends; poolmgr sees that, and starts another sandbox",
    ),
    Attack("output/close_descriptors.py", EXITED, held_by="the worker, for which the connection's end is the sandbox's; it is destroyed"),
    Attack(
        "output/replaced_stdout.py", Output("replaced"),
        held_by="the agent kept streams of its own, and minds no error in flushing the function's",
    ),
    Attack(
        "output/replaced_agent.py", EXITED,
        held_by="an agent that is broken ends its own sandbox; the worker trusts nothing that it says",
    ),
    #
    Attack("residue/tmp_files.py", Output([]), then=checks.only_this_version_finds("left by {name} 1", listed=True), held_by=VERSION),
    Attack("residue/environment.py", Output([None, None]), then=checks.only_this_version_finds("{name}"), held_by=VERSION),
    Attack("residue/timers.js", Output("answered", means="late"), then=checks.late("left by a timer\n" * 5), held_by=LEFT_BEHIND),
    Attack("residue/threads.py", Output("answered", means="late"), then=checks.late("left by a thread\n" * 5), held_by=LEFT_BEHIND),
    Attack("residue/children.py", Output("answered", means="late"), then=checks.late("left by a child\n" * 5), held_by=LEFT_BEHIND),
]


def cell(attack, runtime):
    return f"{attack.expected[runtime]}"


def markdown():
    """The rows of README.md's table."""
    lines = ["| attack | what it tries | docker | gvisor | what holds it off |", "|---|---|---|---|---|"]
    for attack in ATTACKS:
        lines.append(f"| `{attack.label}` | {attack.tries()} | {cell(attack, 'docker')} | {cell(attack, 'gvisor')} | {attack.held_by} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
