#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rest of the network, as a sandboxed host sees it: a mirror and services at 203.0.113.10-12,
and an attacker's machine at 198.51.100.66. Not recorded. usage: world.py PAYLOADS"""
import http.server
import pathlib
import socketserver
import sys
import threading

payloads = pathlib.Path(sys.argv[1])
COMMANDS = b"id\nuname -a\ncat /etc/passwd\nps\nexit\n"


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/").split("?")[0] or "index.html"
        file = payloads / pathlib.PurePath(name).name
        body = file.read_bytes() if file.is_file() else b'{"status":"ok","items":[1,2,3]}\n' * 20
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(204)
        self.end_headers()

    do_PUT = do_POST

    def log_message(self, *_):
        pass


class Shell(socketserver.BaseRequestHandler):
    """Whoever calls here is a shell and is told what to do."""

    def handle(self):
        self.request.settimeout(3)
        try:
            self.request.sendall(COMMANDS)
            while self.request.recv(65536):
                pass
        except OSError:
            pass


class Sink(socketserver.BaseRequestHandler):
    """Takes what comes; answers a line a line, as pools, mail and databases would."""

    def handle(self):
        self.request.settimeout(3)
        try:
            self.request.sendall(b"220 ready\r\n")
            while data := self.request.recv(65536):
                self.request.sendall(b"250 ok %d\r\n" % len(data))
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_):
        """Visitors leave as they like."""


def main():
    places = [(host, 80, Web) for host in ("198.51.100.66", "203.0.113.10", "203.0.113.11")]
    places += [("198.51.100.66", port, Shell) for port in (4444, 4445, 1337, 9001)]
    places += [("198.51.100.66", port, Sink) for port in (22, 53, 3333, 8333, 9999)]
    places += [(host, port, Sink) for host in ("203.0.113.10", "203.0.113.11", "203.0.113.12")
               for port in (22, 25, 5432, 6379)]
    threads = [threading.Thread(target=Server((host, port), handler).serve_forever)
               for host, port, handler in places]
    for thread in threads:
        thread.start()


main()
