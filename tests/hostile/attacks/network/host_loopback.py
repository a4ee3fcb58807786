# Looks for the platform and for PostgreSQL on loopback: of IPv4, of IPv6, and as unix sockets.

import socket


def reach(family, address):
    with socket.socket(family) as s:
        s.settimeout(0.3)
        s.connect(address)


def handler(event, context):
    if event == "behave":
        return "well"
    result = {}
    for port in (5432, event["https_port"], event["http_port"]):
        result[f"127.0.0.1 {port}"] = attempt(reach, socket.AF_INET, ("127.0.0.1", port))
        result[f"::1 {port}"] = attempt(reach, socket.AF_INET6, ("::1", port))
    for path in ("/var/run/postgresql/.s.PGSQL.5432", event["database"], event["poolmgr"], event["invoke"]):
        result[path] = attempt(reach, socket.AF_UNIX, path)
    return result
