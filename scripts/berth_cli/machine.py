"""What the figures were measured on: of Berth what its API tells, of the machine what can be known from here."""

import ipaddress
import os
import pathlib
import platform
import re


def describe(api):
    """[(what, text)], and whether this is the machine Berth runs on, as far as its address says."""
    system = api.get("/metrics/system")
    local = is_loopback(api.host)
    whose = "" if local else "client's "
    known = [("Berth", system["berthd"]["version"]), ("Docker Engine", system["pool"]["docker"]["version"])]
    known += [(f"{whose}{what}", text) for what, text in this_machine()]
    if local:
        known += [("runsc", text) for text in runsc_version()]
    return [[what, text] for what, text in known if text]


def is_loopback(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read(path):
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


def found(pattern, text):
    match = re.search(pattern, text, re.M)
    return match[1].strip() if match else ""


def this_machine():
    memory_kb = found(r"^MemTotal: +(\d+)", read("/proc/meminfo"))
    yield "processor", found(r"^model name\s*: (.*)$", read("/proc/cpuinfo")) or platform.machine()
    yield "processors", str(os.cpu_count() or "")
    yield "memory", f"{int(memory_kb) / 2**20:.1f} GiB" if memory_kb else ""
    yield "kernel", f"{platform.system()} {platform.release()}"
    yield "system", found(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release"))
    yield "Python of the client", platform.python_version()


def runsc_version():
    """The API does not tell it; the package that is installed does."""
    status = read("/var/lib/dpkg/status")
    version = found(r"^Package: runsc\n(?:.+\n)*?Version: (.*)$", status)
    return [version] if version else []
