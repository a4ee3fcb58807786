"""The frames that agent and host exchange over the control socket (../../protocol.md)."""

import os

HELLO, INIT, READY, INIT_ERROR, INVOKE, RESULT, ERROR = range(1, 8)

CONTROL_FD = 3
HEADER_BYTES = 5
READ_BYTES = 64 << 10
FRAME_BYTES_MAX = 64 << 20  # what the host sends; far above any limit it is configured with

readv, write, leave = os.readv, os.write, os._exit

# readv instead of read: in gVisor a system call whose number is loaded with mov costs half as much as number 0 (read), which compilers
# load with xor.
incoming = bytearray(READ_BYTES)
incoming_parts = [incoming]

control = CONTROL_FD  # -1 in a child the function forked
unread = b""  # what came after the last frame taken


class ProtocolError(Exception):
    """The host broke the protocol, which can only be reported in the log."""


def receive():
    """Returns the next frame as (type, payload); (None, b"") when the host has closed."""
    global unread
    data, unread = unread, b""
    while len(data) < HEADER_BYTES:
        got = readv(CONTROL_FD, incoming_parts)
        if not got:
            return None, b""
        data += incoming[:got]
    end = HEADER_BYTES + int.from_bytes(data[:4], "big")
    if end > FRAME_BYTES_MAX:
        raise ProtocolError(f"frame of {end} bytes")
    if len(data) < end:
        data = receive_rest(data, end)
        if data is None:
            return None, b""
    unread = data[end:]
    return data[4], data[HEADER_BYTES:end]


def receive_rest(start, size):
    data = bytearray(size)
    at = len(start)
    data[:at] = start
    with memoryview(data) as view:
        while at < size:
            got = readv(CONTROL_FD, [view[at:]])
            if got == 0:
                return None
            at += got
    return data


def send(kind, payload, output=b""):
    try:
        write_all(control, b"%b%c%b%b" % ((len(payload) + len(output)).to_bytes(4, "big"), kind, payload, output))
    except OSError:  # the host has closed, or this is a child the function forked
        leave(0)


def write_all(fd, data):
    sent = write(fd, data)
    while sent < len(data):
        sent += write(fd, memoryview(data)[sent:])


def disown():
    """Closes the control socket in a child that the function forked: only the agent may use it, and only its end may close it."""
    global control
    if control != -1:
        os.close(control)
        control = -1
