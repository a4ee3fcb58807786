# Sends open descriptors along with bytes on both sockets, to fill the host's tables.

import array
import errno
import os
import socket


def handler(event, context):
    if event == "behave":
        return "well"
    null = os.open("/dev/null", os.O_RDONLY)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * 50))]
    with socket.socket(fileno=os.dup(1)) as log:
        try:
            for _ in range(20):
                log.sendmsg([b"."], rights)
        except OSError as error:
            return {"error": errno.errorcode[error.errno]}
    # The first byte of a frame, and the rest of it.
    payload = b'{"invocation_id":"%s"}\n{"error":null}' % context.invocation_id.encode()
    frame = len(payload).to_bytes(4, "big") + b"\x06" + payload
    with socket.socket(fileno=os.dup(3)) as control:
        control.sendmsg([frame[:1]], rights)
        control.sendall(frame[1:])
    os._exit(0)
