#!/usr/bin/python3
"""Shows that every mode of load.py counts what is dropped: a generator that can't fail proves nothing.

usage: selftest.py [MODE]...

For each mode, HAProxy that never tries again, in front of one server, in a network namespace of its own. Undisturbed,
nothing may be counted as failed. Then the server is killed in the middle and started again a second later: the count
must rise. Needs haproxy, wrk, hey, nghttp2-client, python3-websockets (scripts/setup.sh test) and root.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROXY = """\
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    timeout tunnel 1h
    retries 0
listen front
    bind 127.0.0.1:8080
    server only 127.0.0.1:8081
"""
SERVER = """\
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        left = int(self.headers.get("Content-Length", 0))
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        if self.path.startswith("/slow"):
            time.sleep(2)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    do_POST = do_GET
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
Server(("127.0.0.1", 8081), Handler).serve_forever()
"""


def start_server(mode):
    command = [HERE / "images/websocket/server.py"] if mode == "websocket" else ["-c", SERVER]
    server = subprocess.Popen(["/usr/bin/python3", *map(str, command)], env={**os.environ, "PORT": "8081"},
                              stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    return server


def measure(mode, disturb):
    server = start_server(mode)
    try:
        load = subprocess.Popen([HERE / "load.py", mode, "http://127.0.0.1:8080", "--duration", "6"],
                                stdout=subprocess.PIPE, text=True)
        if disturb:
            time.sleep(2.5)
            server.kill()
            server.wait()
            time.sleep(1)
            server = start_server(mode)
        output, _ = load.communicate(timeout=60)
        return json.loads(output)
    finally:
        server.kill()
        server.wait()


def main():
    modes = sys.argv[1:] or ["keepalive", "newconn", "slow", "uploads", "websocket", "wrk", "hey", "h2"]
    if "ESCALE_SELFTEST" not in os.environ:  # once more, where no port is taken and nothing is left behind
        command = 'ip link set lo up && exec "$@"'
        os.environ["ESCALE_SELFTEST"] = "1"
        os.execvp("unshare", ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", command, "sh",
                              "/usr/bin/python3", __file__, *modes])
    wrong = []
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as configuration:
        configuration.write(PROXY)
        configuration.flush()
        proxy = subprocess.Popen(["haproxy", "-f", configuration.name], stderr=subprocess.DEVNULL)
        try:
            print(f"{'mode':10} {'undisturbed':>20} {'server killed':>20}", flush=True)
            for mode in modes:
                calm, killed = measure(mode, False), measure(mode, True)
                print(f"{mode:10} {calm['failed']:>8} of {calm['requests']:>8} {killed['failed']:>8} of "
                      f"{killed['requests']:>8}  {'; '.join(killed['kinds'])[:90]}", flush=True)
                if calm["failed"]:
                    wrong.append(f"{mode} counts failures where there are none: {calm['failures']}")
                if not killed["failed"]:
                    wrong.append(f"{mode} does not see that a server is killed")
        finally:
            proxy.terminate()
            proxy.wait()
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
