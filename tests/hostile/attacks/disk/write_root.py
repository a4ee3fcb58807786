# Writes wherever the root file system, the runtimes or the system's own directories could be written.

import os


def handler(event, context):
    if event == "behave":
        return "well"
    places = ["/", "/etc", "/usr/bin", "/var", "/var/tmp", "/root", "/home", "/opt/berth", "/opt/berth/python", "/boot", "/run"]
    result = {place: attempt(open, os.path.join(place, "x"), "w") for place in places}
    result["passwd"] = attempt(open, "/etc/passwd", "a")
    result["agent"] = attempt(open, "/opt/berth/python/agent.py", "a")
    result["launcher"] = attempt(os.unlink, "/opt/berth/launcher")
    return result
