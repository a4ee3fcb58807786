"""Two functions that want to talk to each other through locks on files that both of them see: what each runtime leaves them."""

import pytest
from support import in_background
from table import RUNTIMES, SETTINGS

HOLD_S = 4
CODE = """
import fcntl, os, time

def files():
    for top in ("/opt/berth", "/berth", "/etc", "/usr/bin"):
        for directory, _, names in os.walk(top):
            yield from [os.path.join(directory, name) for name in sorted(names)[:20]]

def lock(kept):
    busy, seen = [], set()
    for path in files():
        try:
            fd = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        inode = os.fstat(fd).st_dev, os.fstat(fd).st_ino
        if inode in seen:  # a link to one that it holds itself
            os.close(fd)
            continue
        seen.add(inode)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept.append(fd)
        except OSError:
            busy.append(path)
            os.close(fd)
    return busy

def handler(event, context):
    kept, began = [], time.time()
    busy = lock(kept)
    locked = time.time()
    time.sleep(event)
    found = {"began": began, "locked": locked, "ended": time.time(), "busy": busy, "count": len(kept)}
    for fd in kept:
        os.close(fd)
    return found
"""


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_lock_is_seen_by_another_function_on_files_of_the_platform_at_most(api, deploy, runtime):
    """On docker those of the platform itself are one inode for all (ARCHITECTURE.md, Trust). gVisor's kernel keeps its locks."""
    settings = SETTINGS | {"runtime": runtime, "timeout_ms": 30000, "nofile": 1024}
    holder = deploy(CODE, **settings)
    seeker = deploy(CODE + "\n# Not identical, or both would have the same file.\n", **settings)
    api.output(seeker, 0)
    holding = in_background(lambda: api.execute(holder, HOLD_S))
    seen = []
    while not seen or seen[-1]["began"] - seen[0]["began"] < 2 * HOLD_S:
        seen.append(api.output(seeker, 0))
    held = holding().output
    meanwhile = [one for one in seen if held["locked"] < one["began"] and one["locked"] < held["ended"]]
    assert meanwhile and held["count"] > 40
    busy = {path for one in meanwhile for path in one["busy"]}
    assert {path for path in busy if not path.startswith("/opt/berth")} == set()
    assert runtime == "docker" or not busy
