"""A small API for load tests, which the environment can make a bad version of.

FAIL_RATE=0.2    a fifth of the answers of `/` are 500
DELAY_MS=300     `/` takes that long
UNHEALTHY=1      `/health` says 503
MEMORY_HOG=512   holds that many MiB
EXIT_AT_ONCE, CRASH_AFTER_S: see gunicorn.conf.py
"""

import os
import random
import socket
import time

from flask import Flask, abort, jsonify, request

VERSION = os.environ.get("VERSION", "v0")
FAIL_RATE = float(os.environ.get("FAIL_RATE", "0"))
DELAY = float(os.environ.get("DELAY_MS", "0")) / 1000
UNHEALTHY = os.environ.get("UNHEALTHY", "") not in ("", "0")
REPLICA = socket.gethostname()
# Written to, page by page, so that it is really there.
ballast = bytearray(b"\x01") * (int(os.environ.get("MEMORY_HOG", "0")) * 1024 * 1024)

app = Flask(__name__, static_folder=None)


@app.after_request
def sign(response):
    response.headers["X-Version"] = VERSION
    response.headers["X-Replica"] = REPLICA
    return response


@app.get("/")
def index():
    if DELAY:
        time.sleep(DELAY)
    if FAIL_RATE and random.random() < FAIL_RATE:
        abort(500)
    return jsonify(version=VERSION, pid=os.getpid(), replica=REPLICA)


@app.get("/slow")
def slow():
    time.sleep(float(request.args.get("ms", "2000")) / 1000)
    return jsonify(version=VERSION, replica=REPLICA)


@app.route("/upload", methods=["POST", "PUT"])
def upload():
    size = 0
    while chunk := request.stream.read(64 * 1024):
        size += len(chunk)
    return jsonify(version=VERSION, size=size)


@app.get("/error")
def error():
    if random.random() < float(request.args.get("rate", "1")):
        abort(500)
    return jsonify(version=VERSION)


@app.get("/health")
def health():
    if UNHEALTHY:
        abort(503)
    return jsonify(status="ok", version=VERSION)
