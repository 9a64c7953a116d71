package import EscaleAPI
package import EscaleCore

/// The answer of one replica to one request that was made to have something to judge by.
package struct ProbeResult: Sendable {
    package let at: Timestamp
    package let isGood: Bool
    package let time: Duration

    package init(at: Timestamp, isGood: Bool, time: Duration) {
        self.at = at
        self.isGood = isGood
        self.time = time
    }
}

extension TrafficFigures {
    /// Counts probes among the requests; their times count where no others are known.
    package mutating func add(_ probes: [ProbeResult]) {
        requests += probes.count
        errors += probes.filter { !$0.isGood }.count
        guard p95 == nil else { return }
        let times = probes.map(\.time).sorted()
        func quantile(_ share: Double) -> Duration? {
            times.isEmpty ? nil : times[min(times.count - 1, Int(Double(times.count) * share))]
        }
        (p50, p95, p99) = (quantile(0.5), quantile(0.95), quantile(0.99))
    }
}
