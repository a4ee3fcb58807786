"""
Requests, many at a time, over connections that are kept: each connection sends its next request when it has its answer. One thread
waits for all of them, and keeps of an answer only its bytes until the load is over, so that little of the machine goes to the client.
"""

import re
import selectors
import socket
import ssl
import time

from berth_cli import Failure

CONNECT_S = 30
READ_SIZE = 65536
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
START = re.compile(rb"\r\nberth-start: *([a-z]+)\r\n", re.I)
TIMING = re.compile(rb"\b(queue|init|exec);dur=([0-9.]+)")
CLOSES = re.compile(rb"\r\nconnection: *close\r\n", re.I)


class Answer:
    """status 0: none came. start: cold, prewarmed, warm or "". timing: queue, init and exec in ms, as the server says."""

    __slots__ = ("ms", "start", "status", "timing", "body")

    def __init__(self, ms, head, body):
        found = STATUS.match(head)
        self.ms = ms
        self.status = int(found[1]) if found else 0
        found = START.search(head)
        self.start = found[1].decode() if found else ""
        self.timing = {name.decode(): float(value) for name, value in TIMING.findall(head)}
        self.body = body


class Result:
    """answers, and what making them took: wall_s until the last one, and cpu_s of this process."""

    def __init__(self, answers, wall_s, cpu_s):
        self.answers, self.wall_s, self.cpu_s = answers, wall_s, cpu_s


def request_bytes(api, method, path, body=b""):
    head = f"{method} {path} HTTP/1.1\r\nHost: {api.authority}\r\n"
    if method == "POST":
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def length_of(buffer):
    """Of the answer that a buffer begins with: its head and all of it; None as long as the head is not all there."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    found = LENGTH.search(buffer, 0, end + 2)
    if found is None:
        raise Failure("an answer came without Content-Length")
    return end + 4, end + 4 + int(found[1])


class Client:
    """One connection."""

    def __init__(self, load):
        self.load, self.socket = load, None
        self.connect()

    def connect(self):
        api = self.load.api
        try:
            raw = socket.create_connection((api.host, api.port), CONNECT_S)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = api.context.wrap_socket(raw, server_hostname=api.host)
        except OSError as e:
            raise Failure(f"https://{api.authority}: {e}") from None
        self.socket.settimeout(0)
        self.load.selector.register(self.socket, selectors.EVENT_READ, self)
        self.buffer, self.lengths, self.sent = b"", None, None

    def close(self):
        if self.socket is not None:
            self.load.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None

    def send(self):
        self.socket.settimeout(CONNECT_S)  # a request is short; only a server that is stuck lets it wait
        self.sent = time.perf_counter()
        self.socket.sendall(self.load.request)
        self.socket.settimeout(0)

    def receive(self):
        """Whether its answer is all there. OSError: there will be none."""
        try:
            while True:
                part = self.socket.recv(READ_SIZE)
                if not part:
                    raise ConnectionResetError("the server closed the connection")
                self.buffer += part
                if not self.socket.pending():
                    break
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            pass
        if self.lengths is None:
            self.lengths = length_of(self.buffer)
        return self.lengths is not None and len(self.buffer) >= self.lengths[1]

    def take(self, now):
        """(ms, head, body)"""
        head, whole = self.lengths
        taken = (now - self.sent) * 1000, self.buffer[:head], self.buffer[head:whole]
        self.buffer, self.lengths, self.sent = b"", None, None
        return taken


class Load:
    def __init__(self, api, method, path, body=b"", concurrency=1):
        self.api, self.request = api, request_bytes(api, method, path, body)
        self.selector = selectors.DefaultSelector()
        self.clients = []
        try:
            for _ in range(concurrency):
                self.clients.append(Client(self))
        except BaseException:
            self.close()
            raise

    def close(self):
        for client in self.clients:
            client.close()
        self.selector.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, seconds, at_most=None, timeout_s=120):
        """Sends for so long, or so many on each connection; waits for the last answers, but not longer than timeout_s."""
        taken, self.left = [], (at_most or 2**62) * len(self.clients)
        cpu, begin = time.process_time(), time.perf_counter()
        self.until = begin + seconds
        for client in self.clients:
            self.next(client, taken)
        while any(client.sent for client in self.clients):
            ready = self.selector.select(1)
            now = time.perf_counter()
            if now > self.until + timeout_s:
                raise Failure(f"an answer took longer than {timeout_s} s")
            for key, _ in ready:
                self.serve(key.data, taken)
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        return Result([Answer(*one) for one in taken], wall, cpu)

    def next(self, client, taken):
        if self.left > 0 and time.perf_counter() < self.until:
            self.left -= 1
            try:
                client.send()
            except OSError:
                self.replace(client, taken)

    def serve(self, client, taken):
        if client.sent is None:  # closed while nothing was asked
            client.close()
            client.connect()
            return
        try:
            if not client.receive():
                return
        except OSError:
            self.replace(client, taken)
            return
        taken.append(client.take(time.perf_counter()))
        if CLOSES.search(taken[-1][1]):
            client.close()
            client.connect()
        self.next(client, taken)

    def replace(self, client, taken):
        """Its request failed; that is an answer as well."""
        taken.append(((time.perf_counter() - client.sent) * 1000, b"", b""))
        client.close()
        client.connect()
        self.next(client, taken)
