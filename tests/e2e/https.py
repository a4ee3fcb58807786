"""An HTTPS server for tests, and certificates for it, of an authority that only these tests trust."""

import subprocess

NAME = "www.example.com"

# On two ports with two certificates. It answers like the real one of that name.
SERVER = """
import http.server, ssl, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = b"<!doctype html><html><head><title>Example Domain</title></head></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

def serve(port, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever).start()

serve(443, sys.argv[1])
serve(8443, sys.argv[2])
print("listens", flush=True)
"""


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make_certificate(file, name, names="", authority=None):
    """A certificate with its key in one file, of an authority (or itself if there is none), for names such as DNS:www.example.com."""
    signed = ["-CA", authority, "-CAkey", authority] if authority else []
    # As strict clients ask for (RFC 5280): Python does from 3.13 on.
    usage = ["subjectAltName=" + names, "basicConstraints=critical,CA:FALSE"] if names else ["keyUsage=critical,keyCertSign,cRLSign"]
    usage += ["authorityKeyIdentifier=keyid"] if authority else []
    extensions = [word for one in usage for word in ("-addext", one)]
    key = f"{file}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            *extensions, *signed, "-keyout", key, "-out", file)  # fmt: skip
    with open(key) as source, open(file, "a") as target:
        target.write(source.read())
    return file
