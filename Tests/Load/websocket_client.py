"""WebSockets that send something ten times a second and expect it back.

A server that says goodbye (close code 1000, 1001 or 1012) may do so: the client comes back, and that has to work. A
connection that just ends, that can't be made, or that says back something else is a failure.
"""

import asyncio
import json
import time

import websockets

GOODBYE = {1000, 1001, 1012}
TIMEOUT = 10


class WebSocketLoad:
    def __init__(self, tally, url, *, connections, rate):
        self._tally = tally
        self._url = url.replace("http", "ws", 1)
        self._connections = connections
        self._interval = connections / rate
        self._stopped = asyncio.Event()
        self._goodbyes = 0

    def stop(self):
        self._stopped.set()

    async def run(self):
        await asyncio.gather(*(self._work(number) for number in range(self._connections)))
        self._tally.extra["goodbyes"] = self._goodbyes

    async def _work(self, number):
        while not self._stopped.is_set():
            try:
                async with websockets.connect(self._url, open_timeout=TIMEOUT, ping_interval=None) as socket:
                    greeting = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT))
                    self._tally.versions[greeting["version"]] += 1
                    await self._talk(socket, number)
            except websockets.ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                if code in GOODBYE:
                    self._goodbyes += 1
                    continue
                self._tally.bad(f"ended with {code}")
            except websockets.InvalidStatusCode as error:
                self._tally.bad(f"status {error.status_code}")
            except asyncio.TimeoutError:
                self._tally.bad(f"no answer within {TIMEOUT} s")
            except (OSError, websockets.WebSocketException, EOFError, ValueError) as error:
                self._tally.bad(f"connect: {type(error).__name__}", str(error))
            if not self._stopped.is_set():
                await asyncio.sleep(0.01)

    async def _talk(self, socket, number):
        count = 0
        while not self._stopped.is_set():
            count += 1
            message = f"{number}-{count}"
            began = time.perf_counter()
            await socket.send(message)
            answer = await asyncio.wait_for(socket.recv(), TIMEOUT)
            if answer == message:
                self._tally.good(time.perf_counter() - began)
            else:
                self._tally.bad("another answer", f"{answer!r} to {message!r}")
            try:
                await asyncio.wait_for(self._stopped.wait(), self._interval)
            except asyncio.TimeoutError:
                pass
