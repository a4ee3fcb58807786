# Would be somebody else on the network: gives itself another address, another route, another link, or sends under another's address.

import socket
import struct

RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 20, 24
REQUEST_ACK_CREATE = 0x1 | 0x4 | 0x400
CLONE_NEWUSER = 0x10000000
IP_FREEBIND, IP_TRANSPARENT = 15, 19
OTHER = "198.18.1.77"


def attribute(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data


def netlink(kind, body):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.settimeout(0.3)
        s.sendto(struct.pack("IHHII", 16 + len(body), kind, REQUEST_ACK_CREATE, 1, 0) + body, (0, 0))
        answer = s.recv(4096)
    error = -struct.unpack_from("i", answer, 16)[0]
    if error:
        raise OSError(error, "netlink")


def changes(index):
    other = socket.inet_aton(OTHER)
    return {
        "address": attempt(netlink, RTM_NEWADDR, struct.pack("BBBBi", socket.AF_INET, 32, 0, 0, index) + attribute(2, other)),
        "route": attempt(
            netlink, RTM_NEWROUTE,
            struct.pack("BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, 4, 253, 1, 0) + attribute(1, other) + attribute(4, struct.pack("i", index)),
        ),
        "link": attempt(netlink, RTM_NEWLINK, struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute(18, attribute(1, b"dummy"))),
    }


def send_as_another(option):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        if option is not None:
            s.setsockopt(socket.IPPROTO_IP, option, 1)
        s.bind((OTHER, 0))
        s.connect(("198.18.0.1", 9))
        s.send(b"")


def handler(event, context):
    if event == "behave":
        return "well"
    indices = [index for index, name in socket.if_nameindex() if name == "eth0"] or [1]
    found = changes(indices[0]) | {
        "send": attempt(send_as_another, None),
        "send freebind": attempt(send_as_another, IP_FREEBIND),
        "send transparent": attempt(send_as_another, IP_TRANSPARENT),
    }
    try:
        call("unshare", CLONE_NEWUSER)
    except OSError:
        return found
    return found | {f"{name} as root of its own": error for name, error in changes(indices[0]).items()}
