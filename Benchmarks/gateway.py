#!/usr/bin/env python3
"""What a published port costs: Escale's gateway against a hand-written HAProxy, and a plain port against none at all.

usage: gateway.py [--runs N] [--seconds N] [--connections N] [--json FILE]

One project of 4 nginx replicas that answer with 1 KB. Measured with wrk, in turn, so many runs in one session:
  gateway   the port with `app_protocol: http`
  haproxy   HAProxy with Debian's defaults and a log line for each request, on the same replicas
  port      the plain published port of a service with one such replica
  direct    that replica's own address
Ratios are of the medians. Needs root, ESCALE_BIN (or .build/release), haproxy and wrk; scripts/test-images.sh makes the
image. Nothing is left behind: Escale's root is a scratch one, HAProxy ends with the script.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests/Load"))
from bed import Bed, compose_file, wait_until  # noqa: E402

GATEWAY, PLAIN, PEER = 18480, 18481, 18482
# Debian's haproxy.cfg in its words, then the least that serves four servers. The log goes to a socket that is read, as
# a syslog daemon would.
CONFIGURATION = """\
global
    log {log} local0
    user haproxy
    group haproxy
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets

defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 5000
    timeout client 50000
    timeout server 50000

frontend front
    bind *:{port}
    default_backend servers

backend servers
    balance roundrobin
{servers}
"""


def project():
    document = compose_file("escale-bench-gateway", "nginx", "v1", port=GATEWAY)
    document["services"]["nginx"]["healthcheck"]["interval"] = "30s"
    single = compose_file("", "nginx", "v1", port=PLAIN, layer="tcp", replicas=1)["services"]["nginx"]
    single["healthcheck"]["interval"] = "30s"
    document["services"]["single"] = single
    return document


def address(entry):
    return next(iter(entry["addresses"].values()))


def wrk(url, seconds, connections):
    """Requests a second and the 99th percentile in milliseconds; a run with errors is no measurement."""
    text = subprocess.run(["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s",
                           "--latency", url], capture_output=True, text=True, check=True).stdout
    if "Socket errors" in text or "Non-2xx" in text:
        raise SystemExit(f"error: requests to {url} failed\n{text}")
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    scale = {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), float(number) * scale


class Peer:
    def __init__(self, directory, addresses):
        self._log = directory / "log.sock"
        servers = "\n".join(f"    server s{index} {address}:80 check" for index, address in enumerate(addresses, 1))
        self._file = directory / "haproxy.cfg"
        self._file.write_text(CONFIGURATION.format(log=self._log, port=PEER, servers=servers), encoding="ascii")
        self._processes = []

    def __enter__(self):
        # As cheap as reading can be: the peer shall not be slowed by it.
        reader = ("import os, socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\n"
                  "os.chmod(sys.argv[1], 0o666)\nline = bytearray(8192)\nwhile True: s.recv_into(line)")
        self._processes.append(subprocess.Popen(["/usr/bin/python3", "-ISc", reader, str(self._log)]))
        wait_until(self._log.exists, what="the log's reader")
        self._processes.append(subprocess.Popen(["haproxy", "-db", "-f", str(self._file)], stderr=subprocess.DEVNULL))
        wait_until(lambda: subprocess.run(["curl", "--silent", "--fail", "--output", "/dev/null",
                                           f"http://127.0.0.1:{PEER}/"], check=False).returncode == 0, what="HAProxy")
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.terminate()
            process.wait()


def median(results, name, index):
    return statistics.median(values[index] for values in results[name])


def table(results):
    lines = [f"{'':9} {'requests/s':>11} {'(lowest – highest)':>20} {'p99 ms':>8}"]
    for name, values in results.items():
        rates = [rate for rate, _ in values]
        lines.append(f"{name:9} {statistics.median(rates):>11,.0f} {f'({min(rates):,.0f} – {max(rates):,.0f})':>20} "
                     f"{median(results, name, 1):>8.2f}")
    for name, peer in (("gateway", "haproxy"), ("port", "direct")):
        lines.append(f"{name} / {peer}: {median(results, name, 0) / median(results, peer, 0):.1%} of the throughput, "
                     f"{median(results, name, 1) / median(results, peer, 1):.2f} times the p99")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with Bed() as bed, tempfile.TemporaryDirectory(prefix="escale-bench.") as directory:
        os.chmod(directory, 0o755)  # HAProxy's user looks for the log here
        bed.write(project())
        bed.escale("up", "-d", "--wait")
        try:
            replicas = bed.replicas()
            addresses = [address(entry) for entry in replicas if entry["service"] == "nginx"]
            single = next(address(entry) for entry in replicas if entry["service"] == "single")
            urls = {"gateway": f"http://127.0.0.1:{GATEWAY}/", "haproxy": f"http://127.0.0.1:{PEER}/",
                    "port": f"http://127.0.0.1:{PLAIN}/", "direct": f"http://{single}/"}
            results = {name: [] for name in urls}
            with Peer(Path(directory), addresses):
                for url in urls.values():
                    wrk(url, 1, options.connections)  # warm
                for number in range(1, options.runs + 1):
                    # The order turns, so that what drifts over a run meets all alike.
                    names = list(urls) if number % 2 else list(reversed(urls))
                    for name in names:
                        results[name].append(wrk(urls[name], options.seconds, options.connections))
                    print(f"  run {number} of {options.runs}: "
                          + ", ".join(f"{name} {results[name][-1][0]:,.0f}/s" for name in urls), flush=True)
        finally:
            bed.down()
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    print(f"\n{machine}: wrk, {options.connections} connections, {options.runs} runs of {options.seconds} s, medians\n"
          + table(results))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
