# SPDX-License-Identifier: Apache-2.0
"""An update server for the tests: files of a folder over TLS, with ranges.

depot.py PORT FOLDER CERT KEY CLIENT_CA LOG [cut=BYTES] [noranges]
Asks for a client certificate below CLIENT_CA. Each request is a line of LOG.
cut: the connection breaks after so many bytes of bodies, once. A POST is
kept as FOLDER/posted.
"""
import hashlib
import http.server
import os
import ssl
import sys

port, folder, cert, key, ca, log = sys.argv[1:7]
options = dict(o.partition("=")[::2] for o in sys.argv[7:])
left = [int(options["cut"])] if "cut" in options else None


class Depot(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, status):
        with open(log, "a") as f:
            f.write(f"{self.command} {self.path} {status} {self.headers.get('Range', '-')}\n")

    def give(self, status, body, headers=()):
        self.note(status)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if left and len(body) > left[0]:
            self.wfile.write(body[: left[0]])
            left.clear()
            self.close_connection = True
            self.connection.close()
            return
        if left:
            left[0] -= len(body)
        self.wfile.write(body)

    def do_GET(self):
        path = os.path.join(folder, os.path.basename(self.path))
        if not os.path.isfile(path):
            return self.give(404, b"")
        data = open(path, "rb").read()
        tag = '"' + hashlib.sha256(data).hexdigest()[:16] + '"'
        wanted = self.headers.get("Range")
        if not wanted or "noranges" in options or self.headers.get("If-Range", tag) != tag:
            return self.give(200, data, [("ETag", tag)])
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        first, last = int(first), min(int(last or len(data) - 1), len(data) - 1)
        if first >= len(data):
            return self.give(416, b"", [("Content-Range", f"bytes */{len(data)}")])
        return self.give(
            206, data[first : last + 1], [("ETag", tag), ("Content-Range", f"bytes {first}-{last}/{len(data)}")]
        )

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(os.path.join(folder, "posted"), "wb") as f:
            f.write(body)
        with open(os.path.join(folder, "posted.type"), "w") as f:
            f.write(self.headers["Content-Type"])
        self.give(204, b"")


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations(ca)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Depot)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
