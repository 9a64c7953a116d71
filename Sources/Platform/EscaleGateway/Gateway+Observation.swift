package import EscaleCore
import EscaleSystem

extension Gateway {
    /// How many requests and tunnels are under way on each container, in every process that still has some.
    ///
    /// Connections that only wait for a next request don't count, except where a reload left them to an old worker:
    /// that one can't be told any more that a replica goes, so its clients have to be gone before. 0 for a container that
    /// isn't in the state.
    package func sessions(of containers: [ContainerID]) async throws -> [ContainerID: Int] {
        var counts = Dictionary(containers.map { ($0, 0) }, uniquingKeysWith: { first, _ in first })
        try await inTurn {
            guard let running = current else { return }
            for (worker, rows) in try await statistics(running) {
                let left = worker == running.worker ? 0 : try await idleConnections(worker, rows)
                for container in counts.keys { counts[container, default: 0] += left }
                for row in rows where row.sessions > 0 {
                    guard let backend = BackendName(proxy: row.place.proxy),
                        let container = book.slots.container(in: backend, slot: row.place.slot), counts[container] != nil
                    else { continue }
                    counts[container, default: 0] += row.sessions
                }
            }
        }
        return counts
    }

    /// The same of one container.
    package func sessions(of container: ContainerID) async throws -> Int {
        try await sessions(of: [container])[container] ?? 0
    }

    /// Connections of clients that an old worker still has and that wait for a next request.
    private func idleConnections(_ worker: Int32, _ rows: [ServerStatistics]) async throws -> Int {
        try await blocking { [process] in
            // One that has ended has no clients left.
            guard let info = try? process.master.run(["show info"], worker: worker) else { return 0 }
            let line = info.split(separator: "\n").first { $0.hasPrefix("CurrConns: ") }
            let connections = line.flatMap { Int($0.dropFirst(11)) } ?? 0
            return max(0, connections - rows.reduce(0) { $0 + $1.sessions })
        }
    }

    /// What every container of the state has been through since it joined.
    package func counters() async throws -> [ContainerID: ServerCounters] {
        var all: [ContainerID: ServerCounters] = [:]
        try await inTurn {
            guard let running = current, let state else { return }
            try await harvest(running)
            for server in state.backends.flatMap(\.servers) { all[server.container] = book.ledger[server.container] }
        }
        return all
    }

    /// Takes note of all counters before slots or processes change.
    func harvest(_ running: RunningGateway) async throws {
        for (process, rows) in try await statistics(running) {
            book.ledger.record(rows, of: process, slots: book.slots)
        }
    }

    private func statistics(_ running: RunningGateway) async throws -> [(Int32, [ServerStatistics])] {
        let texts = try await blocking { [process] in
            var texts = [(running.worker, try process.runtime.ask(ServerStatistics.command))]
            for worker in running.oldWorkers {
                // One that has ended has nothing left to say.
                guard let text = try? process.master.run([ServerStatistics.command], worker: worker) else { continue }
                texts.append((worker, text))
            }
            return texts
        }
        return texts.map { ($0.0, ServerStatistics.parse($0.1)) }
    }
}
