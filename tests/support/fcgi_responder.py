"""A FastCGI responder for tests: a thread that serves one unix socket and remembers what it was asked."""

import os
import socket
import struct
import threading

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


class Responder:
    """answer(params, body) returns the whole CGI answer as bytes, or None to drop the connection unanswered."""

    def __init__(self, path, answer):
        self.requests = []
        self._answer = answer
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        os.chmod(path, 0o666)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()
        os.unlink(self._path)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            params, body = bytearray(), bytearray()
            while True:
                header = stream.read(8)
                if len(header) < 8:
                    return
                _, kind, request, length, padding = struct.unpack("!BBHHBx", header)
                content = stream.read(length + padding)[:length]
                if kind == PARAMS:
                    params += content
                elif kind == STDIN and content:
                    body += content
                elif kind == STDIN:
                    break
            pairs = decode_params(bytes(params))
            self.requests.append((pairs, bytes(body)))
            answer = self._answer(pairs, bytes(body))
            if answer is None:
                return
            try:
                for at in range(0, len(answer), 65535):
                    send_record(connection, STDOUT, request, answer[at : at + 65535])
                send_record(connection, STDOUT, request, b"")
                send_record(connection, END_REQUEST, request, bytes(8))
            except OSError:
                pass  # nginx gave up on the request


def send_record(connection, kind, request, content):
    connection.sendall(struct.pack("!BBHHBx", 1, kind, request, len(content), 0) + content)


def decode_params(data):
    pairs, at = {}, 0

    def size():
        nonlocal at
        if data[at] < 128:
            at += 1
            return data[at - 1]
        at += 4
        return struct.unpack_from("!I", data, at - 4)[0] & 0x7FFFFFFF

    while at < len(data):
        name_size, value_size = size(), size()
        name = data[at : at + name_size].decode()
        pairs[name] = data[at + name_size : at + name_size + value_size].decode("latin-1")
        at += name_size + value_size
    return pairs
