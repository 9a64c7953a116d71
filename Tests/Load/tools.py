"""Load generators that somebody else wrote, and what they count.

wrk     strict: never tries again. Failed are "Socket errors" and "Non-2xx or 3xx" (which it counts from 400 on). It
        does not count a request that is never answered: that shows only as a connection less.
hey     Go's client: repeats a GET, unseen, if a kept connection was closed before the first byte of an answer; counts
        every other error and every time-out.
h2load  HTTP/2 with prior knowledge. A connection that ends is not opened again, so it is run in short turns; requests
        under way when a connection ends count as failed, connections that end early are seen in the number of requests.
"""

import asyncio
import json
import re
import signal
import tempfile
from pathlib import Path

WRK_SCRIPT = """\
function delay() return %d end
local threads = {}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('\\nJSON {"requests": %%d, "connect": %%d, "read": %%d, "write": %%d, "status": %%d, '
        .. '"timeout": %%d, "p50": %%f, "p99": %%f}\\n', summary.requests, e.connect, e.read, e.write, e.status,
        e.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


class ToolLoad:
    """Runs a tool until it is told to stop, then reads what it reports."""

    def __init__(self, tally, url, *, connections, rate, duration):
        self._tally, self._url = tally, url
        self._connections, self._rate, self._duration = connections, rate, duration
        self._process = None
        self._stopped = False

    def stop(self):
        self._stopped = True
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)

    async def _output(self, *command):
        # A group of its own: Ctrl-C at the terminal reaches this program, which passes it on.
        self._process = await asyncio.create_subprocess_exec(
            *map(str, command), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, process_group=0)
        if self._stopped:
            self._process.send_signal(signal.SIGINT)
        output, _ = await self._process.communicate()
        text = output.decode("utf-8", "replace")
        if self._process.returncode != 0:
            raise SystemExit(f"error: {command[0]} ended with {self._process.returncode}\n{text}")
        return text

    def _set(self, requests, errors, p50, p99):
        for kind, count in errors.items():
            if count:
                self._tally.bad(kind, count=count)
        self._tally.requests = requests
        self._tally.extra.update(p50=p50 and round(p50, 2), p99=p99 and round(p99, 2))


class Wrk(ToolLoad):
    async def run(self):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(WRK_SCRIPT % (1000 * self._connections // self._rate))
            script.flush()
            text = await self._output("wrk", "--threads", 1, "--connections", self._connections, "--timeout", "10s",
                                      "--duration", f"{self._duration}s", "--script", script.name, self._url)
        found = re.search(r"^JSON (.*)$", text, re.MULTILINE)
        if not found:
            raise SystemExit(f"error: wrk reports nothing\n{text}")
        numbers = json.loads(found[1].replace("nan", "null"))
        errors = {kind: numbers[kind] for kind in ("connect", "read", "write", "status", "timeout")}
        # Answers with a bad status are among the requests; those that broke are not.
        broken = sum(errors.values()) - errors["status"] - errors["timeout"]
        self._set(numbers["requests"] + broken, errors, numbers["p50"], numbers["p99"])


class Hey(ToolLoad):
    async def run(self):
        text = await self._output("hey", "-z", f"{self._duration}s", "-c", self._connections, "-t", 10,
                                  "-q", self._rate // self._connections, self._url)
        statuses = {int(code): int(count) for code, count in re.findall(r"\[(\d{3})\]\s+(\d+) responses", text)}
        part = text.partition("Error distribution:")[2]
        errors = {}
        for count, words in re.findall(r"^\s*\[(\d+)\]\s+(.*)$", part, re.MULTILINE):
            errors[words.strip()] = errors.get(words.strip(), 0) + int(count)
        bad = {f"status {code}": count for code, count in statuses.items() if not 200 <= code < 300} | errors
        times = {int(share): float(seconds) * 1000 for share, seconds in re.findall(r"(\d+)%+ in ([\d.]+) secs", text)}
        total = sum(statuses.values()) + sum(errors.values())
        if total == 0:
            raise SystemExit(f"error: hey reports nothing\n{text}")
        self._set(total, bad, times.get(50), times.get(99))


class H2Load(ToolLoad):
    turn = 3  # seconds

    def stop(self):
        self._stopped = True  # not by a signal, which would lose the report: a turn is short

    async def run(self):
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._duration
        with tempfile.TemporaryDirectory() as directory:
            while not self._stopped and loop.time() < ends:
                await self._take_turn(Path(directory) / "log")

    async def _take_turn(self, log):
        each = max(1, self._rate // self._connections)
        text = await self._output(
            "h2load", "--duration", self.turn, "--clients", self._connections, "--max-concurrent-streams", 4,
            "--rps", each, "--connection-active-timeout", "10", "--log-file", log, self._url)
        found = re.search(r"requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, \d+ failed, (\d+) errored,"
                          r" (\d+) timeout", text)
        if not found:
            raise SystemExit(f"error: h2load reports nothing\n{text}")
        done, errored, timeout = map(int, found.groups())
        for line in log.read_text(encoding="ascii").splitlines() if log.exists() else []:
            _, status, microseconds = line.split("\t")[:3]
            if status.startswith("2"):
                self._tally.good(int(microseconds) / 1e6)
            elif status != "-1":  # -1: no whole answer, which the summary counts too
                self._tally.bad(f"status {status}")
        log.unlink(missing_ok=True)
        if errored:
            self._tally.bad("no whole answer", count=errored)
        if timeout:
            self._tally.bad("timeout", count=timeout)
        # A connection that was refused or ended between two requests is counted nowhere by h2load: it is seen in the
        # requests that it did not make.
        if done < 0.8 * each * self._connections * self.turn:
            self._tally.bad("connections refused or ended early", f"{done} requests were made of "
                            f"{each * self._connections * self.turn}")
