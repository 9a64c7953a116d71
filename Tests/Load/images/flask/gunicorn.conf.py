"""gunicorn's settings, and the two ways to be a version that does not live: EXIT_AT_ONCE=3 ends with that exit code
before anything listens, CRASH_AFTER_S=5 ends all of it after so many seconds."""

import os
import sys
import threading

bind = "0.0.0.0:80"
backlog = 2048
worker_class = "gthread"
workers = 1
threads = int(os.environ.get("THREADS", "32"))
keepalive = 75  # longer than a gateway keeps idle connections: who closes first shall be known
worker_tmp_dir = "/dev/shm"
graceful_timeout = 6  # seconds for requests under way after SIGTERM; gthread also waits for who says nothing


def on_starting(_server):
    if status := os.environ.get("EXIT_AT_ONCE"):
        sys.exit(int(status))
    if seconds := os.environ.get("CRASH_AFTER_S"):
        # In the first process: as a worker's end is noticed and mended by it.
        timer = threading.Timer(float(seconds), os._exit, [1])
        timer.daemon = True
        timer.start()
