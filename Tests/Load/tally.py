"""What a load generator saw, added up."""

import json
import math
import time
from collections import Counter

SAMPLES = 20  # failures that are kept word for word; all are counted


class Tally:
    """Counts requests as they end. A request that has begun ends as good or as failed, never as neither."""

    def __init__(self, mode):
        self.mode = mode
        self.began = time.monotonic()
        self.ended = None
        self.requests = 0
        self.failed = 0
        self.failures = []
        self.kinds = Counter()
        self.versions = Counter()
        self.latencies = []  # seconds, of the good ones
        self.extra = {}

    def good(self, latency, version=None):
        self.requests += 1
        self.latencies.append(latency)
        if version:
            self.versions[version] += 1

    def bad(self, kind, detail="", count=1):
        self.requests += count
        self.failed += count
        self.kinds[kind] += count
        if len(self.failures) < SAMPLES:
            at = f"{time.monotonic() - self.began:.2f} s: "
            self.failures.append(at + kind + (f": {detail}" if detail else "") + (f" ({count} times)" if count > 1 else ""))

    def end(self):
        self.ended = time.monotonic()

    def percentile(self, share):
        """In milliseconds; of the nearest rank."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000, 2)

    def report(self):
        seconds = (self.ended or time.monotonic()) - self.began
        return {
            "mode": self.mode, "seconds": round(seconds, 2), "requests": self.requests, "failed": self.failed,
            "kinds": dict(self.kinds), "failures": self.failures, "versions": dict(self.versions),
            "p50": self.percentile(0.5), "p99": self.percentile(0.99),
            "rps": round(self.requests / seconds, 1) if seconds > 0 else 0.0, **self.extra,
        }

    def json(self):
        return json.dumps(self.report(), indent=2)
