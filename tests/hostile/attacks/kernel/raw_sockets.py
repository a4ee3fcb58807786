# Opens sockets that see or make packets of others, or that reach parts of the kernel or the machine's host.

import socket


def handler(event, context):
    if event == "behave":
        return "well"
    ETH_P_ALL = 0x0300  # in network byte order
    return {
        "raw": attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "raw6": attempt(socket.socket, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
        "packet": attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, ETH_P_ALL),
        "bluetooth": attempt(socket.socket, 31, socket.SOCK_RAW, 1),
    }
