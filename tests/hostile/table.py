"""
All attacks, one row each. A row is the attack's class and name (attacks/<class>/<name>), what it comes to on each runtime, and what
differs from the usual settings of a function.

    python3 table.py    prints the table of README.md
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import checks  # noqa: E402
from expect import Limit, Output, Problem, Refused  # noqa: E402

RUNTIMES = ("docker", "gvisor")
LANGUAGES = {".py": "python", ".js": "javascript"}

# Small, so that limits are reached at once; the same for all where that is possible, so that spares serve them.
SETTINGS = {
    "timeout_ms": 1000, "memory_limit_mb": 128, "cpus": 1, "pids": 64, "tmp_mb": 16, "tmp_inodes": 512, "nofile": 256,
    "response_bytes": 65536, "log_bytes": 4096,
}  # fmt: skip


class Attack:
    def __init__(self, name, docker, gvisor=None, event="attack", then=None, **settings):
        """
        gvisor   what it comes to there, when not the same as on docker
        event    what the function is sent, or what makes that of the stack; "behave" is kept for afterwards
        then     a check of checks.py that looks at more than the answer
        """
        self.name, self.event, self.then = name, event, then
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


def with_and_without_egress(*args, **settings):
    return [Attack(*args, network=network, **settings) for network in ("none", "egress")]


OUT_OF_TIME = Problem("function_timeout", limit_ms=SETTINGS["timeout_ms"])
OUT_OF_MEMORY = Problem("out_of_memory", limit_mb=SETTINGS["memory_limit_mb"])
# Which process the kernel ends for a lack of memory, a child or the function's first one, is a race.
OUT_OF_TIME_OR_MEMORY = Problem("function_timeout", "out_of_memory")
EXITED = Problem("sandbox_exited")
INVALID = Problem("invalid_output")
TOO_LARGE = Problem("response_too_large", limit=SETTINGS["response_bytes"])
# gVisor's kernel is a process of the host in the same cgroup: what runs out of processes, or memory, is that kernel.
KERNEL_ENDS = Problem("sandbox_exited", "out_of_memory", "function_timeout")


ATTACKS = [
    Attack("processes/fork_bomb.py", OUT_OF_TIME_OR_MEMORY, KERNEL_ENDS),
    Attack("processes/fork_limit.py", Limit("EAGAIN", children=64), KERNEL_ENDS),
    Attack("processes/daemon.py", Output("left")),
    Attack("processes/new_sessions.py", OUT_OF_TIME),
    Attack("processes/deaf.py", OUT_OF_TIME),
    Attack("processes/kill_everybody.py", Problem("sandbox_exited", signal="SIGKILL"), EXITED),
    Attack("processes/thread_bomb.py", Limit("EAGAIN", threads=64)),
    Attack("processes/worker_bomb.js", KERNEL_ENDS),
    Attack("processes/crash.py", Problem("sandbox_exited", signal="SIGSEGV"), EXITED),
    #
    Attack("memory/malloc_bomb.py", OUT_OF_MEMORY),
    Attack("memory/slow_touch.py", OUT_OF_MEMORY, timeout_ms=3000),
    Attack("memory/many_processes.py", OUT_OF_TIME_OR_MEMORY, OUT_OF_MEMORY),
    Attack("memory/tmp_beyond_memory.py", OUT_OF_MEMORY, timeout_ms=3000, tmp_mb=256),
    Attack("memory/shared_memory.py", Limit("ENOSPC", written_mb=8)),
    Attack("memory/heap_bomb.js", OUT_OF_MEMORY, timeout_ms=1500),
    Attack("memory/buffer_bomb.js", OUT_OF_MEMORY),
    #
    Attack("cpu/spin.py", OUT_OF_TIME),
    Attack("cpu/big_numbers.py", OUT_OF_TIME),
    Attack("cpu/regular_expression.py", OUT_OF_TIME),
    Attack("cpu/spin_in_children.py", OUT_OF_TIME),
    Attack("cpu/spin_between.py", Output("left", means="billed, and frozen"), then=checks.is_billed),
    Attack("cpu/spin_between.js", Output("left", means="billed, and frozen"), then=checks.is_billed, memory_limit_mb=256),
    Attack("cpu/blocked_loop.js", OUT_OF_TIME),
    Attack("cpu/microtasks.js", OUT_OF_TIME),
    Attack("cpu/regular_expression.js", OUT_OF_TIME),
    Attack("cpu/never_settles.js", OUT_OF_TIME),
    #
    Attack("disk/fill_tmp.py", Limit("ENOSPC", written_mb=16)),
    Attack("disk/inodes.py", Limit("ENOSPC", files=512)),
    Attack("disk/sparse_file.py", Refused(errors={"EFBIG", "ENOSPC"})),
    Attack("disk/write_root.py", Refused()),
    Attack("disk/write_function.py", Refused(), then=checks.code_is_unchanged),
    #
    Attack("descriptors/exhaust.py", Limit("EMFILE", opened=256)),
    Attack("descriptors/reconnect.py", Refused()),
    Attack("descriptors/garbage.py", EXITED),
    Attack("descriptors/huge_frame.py", EXITED),
    Attack("descriptors/unfinished_frame.py", OUT_OF_TIME),
    Attack("descriptors/drip.py", OUT_OF_TIME),
    Attack("descriptors/forged_frame.py", EXITED),
    Attack("descriptors/forged_result.py", Output("forged", means="its own answer, given once"), then=checks.answers_are_its_own),
    Attack("descriptors/forged_request.py", EXITED),
    Attack("descriptors/forged_early.py", Output("forged", means="its own answer, given once"), then=checks.same_name_is_no_answer),
    Attack("descriptors/forged_early.js", Output("forged", means="its own answer, given once"), then=checks.same_name_is_no_answer),
    Attack("descriptors/forged_next.py", Output("wait for it"), then=checks.answers_are_its_own),
    Attack(
        "descriptors/pass_descriptors.py",
        Output({"error": None}, {"error": "ETOOMANYREFS"}, means="sent, and dropped"),
        Limit("EINVAL"),
    ),
    Attack("descriptors/shut_down.py", EXITED),
    #
    Attack("kernel/mount.py", Refused()),
    Attack("kernel/namespaces.py", Refused(), Refused(own=["unshare user", "unshare cgroup", "unshare user and mount"])),
    Attack("kernel/ptrace.py", Refused(own=["seize", "mem", "readv", "environ", "root"]), Refused(own=["environ"])),
    Attack("kernel/keyctl.py", Refused(), Refused(own=["session keyring"])),
    Attack("kernel/bpf.py", Refused()),
    Attack("kernel/io_uring.py", Refused()),
    Attack("kernel/raw_sockets.py", Refused()),
    Attack("kernel/vsock.py", Refused()),
    Attack("kernel/proc_and_sys.py", Refused(), Refused(own=["oom_score_adj"])),
    Attack("kernel/look_at_host.py", Refused(), Refused(own=["cgroups", "class", "cmdline", "loadavg"])),
    Attack("kernel/release_agent.py", Refused()),
    Attack("kernel/become_root.py", Refused()),
    Attack("kernel/devices.py", Refused(), Refused(own=["fuse", "net/tun"])),
    Attack("kernel/privileged_calls.py", Refused(), Refused(own=["nice"])),
    #
    *with_and_without_egress("network/docker_socket.py", Refused()),
    *with_and_without_egress("network/metadata.py", Refused()),
    *with_and_without_egress("network/gateway.py", Refused(), event=checks.addresses),
    *with_and_without_egress("network/host_loopback.py", Refused(), event=checks.addresses),
    *with_and_without_egress("network/other_sandboxes.py", Refused(found=["lo", "eth0"]), event=checks.addresses),
    *with_and_without_egress("network/other_addresses.py", Refused()),
    Attack("network/another_address.py", Refused(), Refused(own=["address as root of its own", "route as root of its own"])),
    Attack("network/another_address.py", Refused(), network="egress"),
    #
    Attack("output/log_flood.py", Output("printed", means="the log is cut"), then=checks.log_is_cut_of(64 << 20), timeout_ms=5000),
    Attack("output/endless_log.py", OUT_OF_TIME, then=checks.log_is_cut),
    Attack("output/log_no_newline.py", Output("printed", means="the log is cut"), then=checks.log_is_cut_of(4 << 20), timeout_ms=3000),
    Attack(
        "output/many_secrets.py", Output("printed", means="masked at once"), then=checks.log_is_masked_at_once,
        environment={f"TOKEN{n}": "aaaaaaab" for n in range(1434)}, log_bytes=1 << 20, timeout_ms=5000,
    ),  # fmt: skip
    Attack("output/log_binary.py", Output("printed", means="kept as it is"), then=checks.log_is_binary),
    Attack("output/terminal_escapes.py", Problem("function_error"), then=checks.platform_log_is_clean),
    Attack("output/deep_result.py", INVALID),
    Attack("output/deep_result.js", INVALID),
    Attack("output/deep_frame.py", INVALID),
    Attack("output/not_a_number.py", INVALID),
    Attack("output/invalid_utf8.py", INVALID),
    Attack("output/splice.py", INVALID),
    Attack("output/lone_surrogates.py", Output("\ud83d \udc00 \0", means="escaped")),
    Attack("output/throwing_json.js", INVALID),
    Attack("output/huge_result.py", TOO_LARGE),
    Attack("output/huge_result.js", TOO_LARGE),
    Attack("output/huge_error.py", Problem("function_error"), then=checks.answer_is_short),
    Attack("output/sys_exit.py", Problem("sandbox_exited", exit_code=3), EXITED),
    Attack("output/os_exit.py", Problem("sandbox_exited", exit_code=0), EXITED),
    Attack("output/process_exit.js", Problem("sandbox_exited", exit_code=3), EXITED),
    Attack("output/late_exception.js", Output("answered"), then=checks.rests),
    Attack("output/close_descriptors.py", EXITED),
    Attack("output/replaced_stdout.py", Output("replaced")),
    Attack("output/replaced_agent.py", EXITED),
    #
    Attack("residue/tmp_files.py", Output([]), then=checks.only_this_version_finds("left by {name} 1", listed=True)),
    Attack("residue/environment.py", Output([None, None]), then=checks.only_this_version_finds("{name}")),
    Attack("residue/timers.js", Output("answered", means="orphaned"), then=checks.orphaned("left by a timer\n" * 5)),
    Attack("residue/threads.py", Output("answered", means="orphaned"), then=checks.orphaned("left by a thread\n" * 5)),
    Attack("residue/children.py", Output("answered", means="orphaned"), then=checks.orphaned("left by a child\n" * 5)),
]


def cell(attack, runtime):
    return f"{attack.expected[runtime]}"


def markdown():
    """The rows of README.md's table."""
    lines = ["| attack | what it tries | docker | gvisor |", "|---|---|---|---|"]
    for attack in ATTACKS:
        lines.append(f"| `{attack.label}` | {attack.tries()} | {cell(attack, 'docker')} | {cell(attack, 'gvisor')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
