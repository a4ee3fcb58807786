# Opens a socket to the virtual machine's host, whom no network namespace hides. It is not connected.

import socket


def handler(event, context):
    if event == "behave":
        return "well"
    return {"vsock": attempt(socket.socket, socket.AF_VSOCK, socket.SOCK_STREAM)}
