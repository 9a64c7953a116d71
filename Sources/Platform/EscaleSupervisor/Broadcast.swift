import Synchronization

/// Hands every value to all who listen at that moment.
final class Broadcast<Value: Sendable>: Sendable {
    private let listeners = Mutex<[Int: AsyncStream<Value>.Continuation]>([:])
    private let next = Atomic(0)

    /// The values from now on. A listener that doesn't read misses the oldest ones beyond `buffer`.
    func listen(buffer: Int = 4096) -> AsyncStream<Value> {
        let key = next.wrappingAdd(1, ordering: .relaxed).newValue
        let (stream, continuation) = AsyncStream.makeStream(of: Value.self, bufferingPolicy: .bufferingNewest(buffer))
        listeners.withLock { $0[key] = continuation }
        continuation.onTermination = { [weak self] _ in
            _ = self?.listeners.withLock { $0.removeValue(forKey: key) }
        }
        return stream
    }

    func send(_ value: Value) {
        for listener in listeners.withLock({ Array($0.values) }) { listener.yield(value) }
    }
}
