import EscaleAPI
import EscaleCore
import EscaleGateway
import EscaleNetlink
import EscaleSystem

/// Figures of the gateway's requests by replica, read from its access log while somebody asks for them.
actor TrafficMeter {
    private var reader: AccessLogReader
    private var slices: [IPv4Address: [Int64: Slice]] = [:]
    private var lastAsked: ContinuousClock.Instant?

    /// Requests of a quarter of a second.
    private struct Slice {
        var requests = 0
        var errors = 0
        /// Answers by time, see ``TrafficMeter/bucket(_:)``.
        var times: [Int: Int] = [:]
    }

    private static let width: Int64 = 250_000_000
    private static let memory = Duration.seconds(3600)
    /// After so long without a question the meter starts afresh at the end of the log.
    private static let patience = Duration.seconds(10)

    private let clock: SteadyClock

    init(accessLog: String, clock: SteadyClock) {
        reader = AccessLogReader(path: accessLog)
        self.clock = clock
    }

    /// The requests that these replicas answered, or failed to, since then.
    ///
    /// Of the log what was written before the first question, or after a long silence, isn't read.
    func figures(of addresses: some Collection<IPv4Address> & Sendable, since: Timestamp, now: Timestamp) async throws
        -> TrafficFigures
    {
        try await catchUp(now)
        var total = Slice()
        let first = since.nanoseconds / Self.width
        for address in addresses {
            for (time, slice) in slices[address] ?? [:] where time >= first {
                total.requests += slice.requests
                total.errors += slice.errors
                total.times.merge(slice.times, uniquingKeysWith: +)
            }
        }
        let span = max((now - since).seconds, 0.25)
        return TrafficFigures(
            requests: total.requests, errors: total.errors, requestsPerSecond: Double(total.requests) / span,
            p50: Self.quantile(0.5, of: total.times), p95: Self.quantile(0.95, of: total.times),
            p99: Self.quantile(0.99, of: total.times))
    }

    private func catchUp(_ now: Timestamp) async throws {
        let asked = ContinuousClock.now
        let isStale = lastAsked.map { asked - $0 > Self.patience } ?? true
        lastAsked = asked
        var reader = reader
        if isStale {
            slices = [:]
            reader = try await blocking { [reader] in
                var reader = reader
                try reader.skipToEnd()
                return reader
            }
        }
        while true {
            let (next, entries) = try await blocking { [reader] in
                var reader = reader
                let entries = try reader.next()
                return (reader, entries)
            }
            reader = next
            if entries.isEmpty { break }
            for entry in entries { count(entry) }
        }
        self.reader = reader
        forget(before: now)
    }

    private func count(_ entry: AccessLogEntry) {
        // What the client broke off says nothing about the service.
        guard let server = entry.server, !entry.termination.isByClient, entry.status != 0 else { return }
        let time = clock.steady(entry.time).nanoseconds / Self.width
        var slice = slices[server, default: [:]][time] ?? Slice()
        slice.requests += 1
        if entry.status >= 500 || entry.status < 0 { slice.errors += 1 }
        slice.times[Self.bucket(entry.milliseconds), default: 0] += 1
        slices[server, default: [:]][time] = slice
    }

    private func forget(before now: Timestamp) {
        let oldest = (now.nanoseconds - Self.memory.nanoseconds) / Self.width
        for (address, all) in slices where all.count > 14_400 {
            slices[address] = all.filter { $0.key >= oldest }
        }
    }

    // MARK: Times

    /// Whole milliseconds up to 64, then steps of a sixteenth of the power of two: about 6 % fine.
    static func bucket(_ milliseconds: Int) -> Int {
        guard milliseconds >= 64 else { return max(milliseconds, 0) }
        let power = Int.bitWidth - 1 - milliseconds.leadingZeroBitCount
        return 64 + (power - 6) * 16 + (milliseconds >> (power - 4)) - 16
    }

    /// The upper end of a bucket, in milliseconds.
    static func limit(of bucket: Int) -> Int {
        guard bucket >= 64 else { return bucket }
        let power = (bucket - 64) / 16 + 6
        return ((bucket - 64) % 16 + 17) << (power - 4)
    }

    private static func quantile(_ share: Double, of times: [Int: Int]) -> Duration? {
        let total = times.values.reduce(0, +)
        guard total > 0 else { return nil }
        let rank = max(1, Int((Double(total) * share).rounded(.up)))
        var seen = 0
        for (bucket, count) in times.sorted(by: { $0.key < $1.key }) {
            seen += count
            if seen >= rank { return .milliseconds(limit(of: bucket)) }
        }
        return nil
    }
}
