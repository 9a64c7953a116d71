import Synchronization

/// Lets a few tests work at a time: each has a daemon and containers, and the machine may be small.
actor Gate {
    static let shared = Gate(width: 5)

    private var free: Int
    private var queue: [CheckedContinuation<Void, Never>] = []

    init(width: Int) { free = width }

    /// Does the work when it is its turn.
    nonisolated func pass<Value>(_ work: () async throws -> Value) async rethrows -> Value {
        await enter()
        do {
            let value = try await work()
            await leave()
            return value
        } catch {
            await leave()
            throw error
        }
    }

    private func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { queue.append($0) }
        }
    }

    private func leave() {
        if queue.isEmpty { free += 1 } else { queue.removeFirst().resume() }
    }
}

/// How long a slow machine may take for what takes a moment. Nothing waits that long where all is well.
let patience = Duration.seconds(60)

/// Looks again and again until it is as wanted or time is up; gives what was seen last.
func poll<Value>(
    within limit: Duration = patience,
    every pause: Duration = .milliseconds(25),
    until isWanted: (Value) -> Bool,
    _ look: () async throws -> Value
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    while true {
        let value = try await look()
        if isWanted(value) || ContinuousClock.now >= deadline { return value }
        try await Task.sleep(for: pause)
    }
}
