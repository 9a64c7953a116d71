"""An HTTP/1.1 load generator that never tries again: what a request meets is what is counted.

Browsers and libraries repeat a GET when a kept connection turns out to be closed, and so hide what a gateway does wrong.
This one counts it. A failure is: no connection, no whole answer, a status that is not 2xx, or ten seconds without either.
A connection that the other side closed between two requests, before anything was sent, is opened again and is no failure.
"""

import asyncio
import time
from urllib.parse import urlsplit

TIMEOUT = 10


class Dropped(Exception):
    """A request that failed, in words that are the same for the same kind of failure."""

    def __init__(self, kind, detail=""):
        super().__init__(kind)
        self.kind, self.detail = kind, detail


class Connection:
    def __init__(self, address):
        self._address = address
        self._reader = self._writer = None

    async def _open(self):
        try:
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        except OSError as error:
            raise Dropped("connect", error.strerror or str(error)) from error

    @property
    def usable(self):
        return self._writer is not None and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self):
        if self._writer is not None:
            self._writer.transport.abort() if self._writer.is_closing() else self._writer.close()
        self._reader = self._writer = None

    async def exchange(self, head, body):
        """The answer's status, headers and length. Closes the connection if it must not be used again."""
        if not self.usable:
            self.close()
            await self._open()
        stage = "send"
        try:
            self._writer.write(head)
            for start in range(0, len(body), 65536):
                self._writer.write(body[start:start + 65536])
                await self._writer.drain()
            stage = "wait for the answer"
            answer = await self._reader.readuntil(b"\r\n\r\n")
            stage = "read the answer"
            status, headers = parse(answer)
            length = await self._read_body(headers)
        except asyncio.IncompleteReadError as error:
            what = "closed" if not error.partial else "closed in the middle"
            raise Dropped(f"{stage}: {what}") from error
        except (OSError, ValueError) as error:
            raise Dropped(f"{stage}: {type(error).__name__}", str(error)) from error
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, length

    async def _read_body(self, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            length = 0
            while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                await self._reader.readexactly(size + 2)
                length += size
            await self._reader.readuntil(b"\r\n")
            return length
        if "content-length" not in headers:
            raise ValueError("the answer does not say how long it is")
        return len(await self._reader.readexactly(int(headers["content-length"])))


def parse(answer):
    lines = answer.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    return int(lines[0].split(" ", 2)[1]), headers


class HTTPLoad:
    """Requests over so many connections, together at most `rate` a second, until `stop()`.

    Connections are worked one request at a time, so a slow server lowers the rate and nothing is sent twice.
    """

    def __init__(self, tally, url, *, connections, rate=None, method="GET", body=b"", keep=True, headers=(), limit=None):
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "User-Agent: escale-load", *headers]
        if body:
            lines += ["Content-Type: application/octet-stream", f"Content-Length: {len(body)}"]
        if not keep:
            lines.append("Connection: close")
        self._head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._address = (parts.hostname, parts.port or 80)
        self._body, self._keep, self._tally = body, keep, tally
        self._connections = connections
        self._interval = connections / rate if rate else 0
        self._left = limit
        self._stopped = asyncio.Event()

    def stop(self):
        self._stopped.set()

    async def run(self):
        """Until stopped, and every request that was begun has ended."""
        await asyncio.gather(*(self._work(number) for number in range(self._connections)))

    async def _work(self, number):
        connection = Connection(self._address)
        due = time.monotonic() + self._interval * number / self._connections
        while True:
            pause = due - time.monotonic()
            if pause > 0:
                try:
                    await asyncio.wait_for(self._stopped.wait(), pause)
                except asyncio.TimeoutError:
                    pass
            if self._stopped.is_set() or self._left == 0:
                break
            if self._left is not None:
                self._left -= 1
            due = max(due + self._interval, time.monotonic() - 1)
            good = await self._request(connection)
            if not self._keep or not good:
                connection.close()
            if not good:  # a server that is gone shall be asked again and again, not a thousand times a second
                await asyncio.sleep(0.01)
        connection.close()

    async def _request(self, connection):
        began = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT):
                status, headers, _ = await connection.exchange(self._head, self._body)
            if not 200 <= status < 300:
                raise Dropped(f"status {status}", headers.get("server", ""))
        except Dropped as dropped:
            self._tally.bad(dropped.kind, dropped.detail)
            return False
        except TimeoutError:
            self._tally.bad(f"no answer within {TIMEOUT} s")
            return False
        self._tally.good(time.perf_counter() - began, headers.get("x-version"))
        return True
