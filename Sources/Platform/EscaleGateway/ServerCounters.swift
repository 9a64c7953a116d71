import EscaleCore

/// What HAProxy has counted for one replica. Every number only grows while the replica is in the gateway's state.
package struct ServerCounters: Hashable, Codable, Sendable {
    package var requests: Int64 = 0
    package var status2xx: Int64 = 0
    package var status3xx: Int64 = 0
    package var status4xx: Int64 = 0
    package var status5xx: Int64 = 0
    /// Connections that couldn't be made.
    package var connectionErrors: Int64 = 0
    /// Answers that broke off, weren't HTTP or took too long.
    package var responseErrors: Int64 = 0
    /// Requests that were tried again, here or elsewhere.
    package var retries: Int64 = 0
    package var bytesIn: Int64 = 0
    package var bytesOut: Int64 = 0

    package init() {}

    static var columns: [(String, WritableKeyPath<ServerCounters, Int64>)] {
        [
            ("stot", \.requests), ("hrsp_2xx", \.status2xx), ("hrsp_3xx", \.status3xx), ("hrsp_4xx", \.status4xx),
            ("hrsp_5xx", \.status5xx), ("econ", \.connectionErrors), ("eresp", \.responseErrors),
            ("wretr", \.retries), ("bin", \.bytesIn), ("bout", \.bytesOut),
        ]
    }

    /// What came since the other; all of it where the other is further, since then counting began anew.
    func since(_ last: ServerCounters) -> ServerCounters {
        if Self.columns.contains(where: { self[keyPath: $0.1] < last[keyPath: $0.1] }) { return self }
        var difference = self
        for (_, path) in Self.columns { difference[keyPath: path] -= last[keyPath: path] }
        return difference
    }

    static func += (left: inout ServerCounters, right: ServerCounters) {
        for (_, path) in columns { left[keyPath: path] += right[keyPath: path] }
    }
}

/// One server line as `show stat` tells it.
struct ServerStatistics: Sendable {
    let place: ServerPlace
    let sessions: Int
    let counters: ServerCounters

    static let command = "show stat -1 4 -1"

    /// Reads the CSV by its header; lines that are no server's are left out.
    static func parse(_ text: String) -> [ServerStatistics] {
        var names: [Substring: Int] = [:]
        var all: [ServerStatistics] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# ") {
                let header = line.dropFirst(2).split(separator: ",", omittingEmptySubsequences: false)
                for (index, name) in header.enumerated() { names[name] = index }
                continue
            }
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            func number(_ name: Substring) -> Int64 {
                guard let index = names[name], fields.indices.contains(index) else { return 0 }
                return Int64(fields[index]) ?? 0
            }
            guard fields.count > 2, fields[1].first == "s", let slot = Int(fields[1].dropFirst()) else { continue }
            var counters = ServerCounters()
            for (name, path) in ServerCounters.columns { counters[keyPath: path] = number(Substring(name)) }
            all.append(
                ServerStatistics(
                    place: ServerPlace(proxy: String(fields[0]), slot: slot),
                    sessions: Int(number("scur") + number("qcur")), counters: counters))
        }
        return all
    }
}

/// Adds up what every process has counted for a container, over changes of slots and processes.
struct CounterLedger: Hashable, Codable, Sendable {
    private var totals: [ContainerID: ServerCounters] = [:]
    private var last: [Int32: [ServerPlace: ServerCounters]] = [:]

    subscript(container: ContainerID) -> ServerCounters { totals[container] ?? ServerCounters() }

    /// Takes note of what one process says now, for who is in the slots now.
    mutating func record(_ statistics: [ServerStatistics], of process: Int32, slots: SlotTable) {
        for row in statistics {
            let before = last[process]?[row.place] ?? ServerCounters()
            last[process, default: [:]][row.place] = row.counters
            guard let backend = BackendName(proxy: row.place.proxy),
                let container = slots.container(in: backend, slot: row.place.slot)
            else { continue }
            totals[container, default: ServerCounters()] += row.counters.since(before)
        }
    }

    /// Drops processes and containers that are over.
    mutating func prune(processes: Set<Int32>, containers: Set<ContainerID>) {
        last = last.filter { processes.contains($0.key) }
        totals = totals.filter { containers.contains($0.key) }
    }
}
