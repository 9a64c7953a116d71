import Synchronization

/// One holder at a time for each key; the others wait in line.
final class KeyedLock<Key: Hashable & Sendable>: Sendable {
    private let lines = Mutex<[Key: [CheckedContinuation<Void, Never>]]>([:])

    /// Runs the body while nobody else has the key. Waiting isn't cut short by cancellation, the body sees it.
    func with<Value>(_ key: Key, _ body: () async throws -> Value) async rethrows -> Value {
        await withCheckedContinuation { continuation in
            let isFirst = lines.withLock { lines in
                if lines[key] == nil {
                    lines[key] = []
                    return true
                }
                lines[key]?.append(continuation)
                return false
            }
            if isFirst { continuation.resume() }
        }
        defer { release(key) }
        return try await body()
    }

    private func release(_ key: Key) {
        let next = lines.withLock { lines -> CheckedContinuation<Void, Never>? in
            guard lines[key]?.isEmpty == false else {
                lines[key] = nil
                return nil
            }
            return lines[key]?.removeFirst()
        }
        next?.resume()
    }
}
