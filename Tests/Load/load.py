#!/usr/bin/python3
# Debian's own Python, not whichever comes first: python3-websockets is a Debian package.
"""Sends load of one kind at a URL and counts, itself, every request that failed. Prints JSON.

usage: load.py MODE URL [--duration SECONDS] [--rate PER_SECOND] [--connections N] [--requests N]

modes: keepalive   requests over 20 kept connections
       newconn     a new connection for each
       slow        answers that take 2 s (/slow?ms=2000)
       uploads     POST with a body of 1 MiB (/upload)
       websocket   50 sockets that are echoed to
       wrk hey h2  the same with somebody else's generator, see tools.py

It ends after --duration or --requests, or on SIGINT or SIGTERM: then what was begun is waited for, so that no request is
left uncounted. The exit code is 0 however many failed, as long as the count can be relied on.
"""

import argparse
import asyncio
import signal
import sys

from http_client import HTTPLoad
from tally import Tally
from tools import H2Load, Hey, Wrk

MODES = ("keepalive", "newconn", "slow", "uploads", "websocket", "wrk", "hey", "h2")
UPLOAD = bytes(range(256)) * 4096  # 1 MiB


def generator(options, tally):
    url, rate = options.url.rstrip("/"), options.rate
    connections = options.connections
    limit = options.requests
    match options.mode:
        case "keepalive":
            return HTTPLoad(tally, f"{url}/", connections=connections or 20, rate=rate or 500, limit=limit)
        case "newconn":
            return HTTPLoad(tally, f"{url}/", connections=connections or 20, rate=rate or 500, keep=False, limit=limit)
        case "slow":
            return HTTPLoad(tally, f"{url}/slow?ms=2000", connections=connections or 48, limit=limit)
        case "uploads":
            return HTTPLoad(tally, f"{url}/upload", connections=connections or 8, rate=rate or 50, method="POST",
                            body=UPLOAD, limit=limit)
        case "websocket":
            from websocket_client import WebSocketLoad  # Debian's python3-websockets: only who needs it
            return WebSocketLoad(tally, f"{url}/", connections=connections or 50, rate=rate or 500)
        case "wrk" | "hey" | "h2":
            tool = {"wrk": Wrk, "hey": Hey, "h2": H2Load}[options.mode]
            return tool(tally, f"{url}/", connections=connections or 20, rate=rate or 500, duration=options.duration)


async def run(options):
    tally = Tally(options.mode)
    load = generator(options, tally)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, load.stop)
    timer = loop.call_later(options.duration, load.stop) if options.mode not in ("wrk", "hey", "h2") else None
    await load.run()
    if timer:
        timer.cancel()
    tally.end()
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("url", help="scheme, host and port: http://127.0.0.1:8080")
    parser.add_argument("--duration", type=int, default=10)
    parser.add_argument("--rate", type=int)
    parser.add_argument("--connections", type=int)
    parser.add_argument("--requests", type=int)
    options = parser.parse_args()
    tally = asyncio.run(run(options))
    print(tally.json())
    if tally.requests == 0:
        sys.exit("error: not one request was made: this says nothing about the server")


if __name__ == "__main__":
    main()
