# Reaches the machine by each of its addresses, those that containers know it by among them: with TCP and with UDP.

import socket


def reach(address):
    with socket.socket() as s:
        s.settimeout(0.3)
        s.connect(address)


def ask(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)
        s.connect(address)
        s.send(b"")
        s.recv(1)


def handler(event, context):
    if event == "behave":
        return "well"
    found = {}
    for host in event["machine"]:
        for port in (22, 80, event["https_port"], event["http_port"]):
            found[f"tcp {host} {port}"] = attempt(reach, (host, port))
        found[f"udp {host}"] = attempt(ask, (host, 123))
    return found
