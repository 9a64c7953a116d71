"""A WebSocket server that greets with its version, then says everything back. SIGTERM closes with 1001, "going away".

Plain GET requests of any path but `/` are answered with 200: health checks."""

import asyncio
import http
import json
import os
import signal
import socket

import websockets

VERSION = os.environ.get("VERSION", "v0")
PORT = int(os.environ.get("PORT", "80"))
REPLICA = socket.gethostname()


async def echo(connection):
    await connection.send(json.dumps({"version": VERSION, "replica": REPLICA}))
    async for message in connection:
        await connection.send(message)


async def plain(path, _headers):
    return None if path == "/" else (http.HTTPStatus.OK, [("X-Version", VERSION)], b"ok\n")


async def main():
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with websockets.serve(echo, "0.0.0.0", PORT, process_request=plain, ping_interval=None):
        await ended.wait()


asyncio.run(main())
