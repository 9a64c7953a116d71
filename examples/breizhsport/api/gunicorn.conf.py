"""One process of eight threads per replica; more of both is more replicas."""

import json
import time

from shop import log

bind = "0.0.0.0:5000"
workers = 1
worker_class = "gthread"
threads = 8
worker_tmp_dir = "/dev/shm"  # the root is read-only
# SIGTERM: no new connections, and this long for the requests that are under way.
graceful_timeout = 12
timeout = 30
keepalive = 5
logconfig_dict = log.configuration()


def post_request(worker, request, environ, response):
    """Replaces the access log: one JSON line for each request."""
    status = int(str(response.status).split()[0]) if response is not None else 0
    began = environ.get("shop.began")
    line = {
        "time": log.timestamp(time.time()), "level": "info", "event": "request", "method": request.method,
        "path": request.path, "status": status,
        "ms": round((time.monotonic() - began) * 1000, 1) if began else None,
        "request_id": environ.get("HTTP_X_REQUEST_ID"),
    }
    if request.path not in ("/healthz", "/readyz"):
        print(json.dumps({key: value for key, value in line.items() if value is not None}, ensure_ascii=False), flush=True)
