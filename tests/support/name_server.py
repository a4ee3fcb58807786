"""
A name server on a given address, by UDP and TCP: name_server.py ADDRESS NAME IP. It knows one name, and prints each question.
"""

import socket
import socketserver
import struct
import sys
import threading

ADDRESS, NAME, IP = sys.argv[1:4]


def answer(query):
    """The labels of the one question, then its type; an A record for NAME, that there is no such name for others."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode(errors="replace"))
        at += 1 + query[at]
    kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
    name = ".".join(labels).lower()
    print(f"{name} {kind}", flush=True)
    known = name == NAME
    records = b""
    if known and kind == 1:
        records = struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(IP)
    header = query[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, bool(records), 0, 0)
    return header + query[12 : at + 5] + records


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        query, server = self.request
        server.sendto(answer(query), self.client_address)


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        while len(length := self.rfile.read(2)) == 2:
            reply = answer(self.rfile.read(struct.unpack(">H", length)[0]))
            self.wfile.write(struct.pack(">H", len(reply)) + reply)
            self.wfile.flush()


socketserver.TCPServer.allow_reuse_address = True
udp = socketserver.ThreadingUDPServer((ADDRESS, 53), Datagram)
tcp = socketserver.ThreadingTCPServer((ADDRESS, 53), Stream)
tcp.daemon_threads = True
threading.Thread(target=udp.serve_forever, daemon=True).start()
print("listens", flush=True)
tcp.serve_forever()
