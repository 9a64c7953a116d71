import Synchronization

/// A value under a lock whose changes tasks can wait for.
final class Monitor<Value: Sendable>: Sendable {
    private struct Waiter {
        let condition: @Sendable (Value) -> Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var value: Value
        var waiters: [UInt64: Waiter] = [:]
        var nextID: UInt64 = 0
    }

    private let state: Mutex<State>

    init(_ value: Value) { state = Mutex(State(value: value)) }

    /// Reads or changes the value, then wakes whoever waits for what it has become.
    func withLock<Outcome: Sendable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Outcome
    ) throws(Failure) -> Outcome {
        try state.withLock { state throws(Failure) in
            defer { Self.wake(&state) }
            return try body(&state.value)
        }
    }

    /// Suspends until the condition holds or the task is cancelled; the caller asks again under the lock.
    func wait(until condition: @escaping @Sendable (Value) -> Bool) async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { state in
                    // A cancellation from before this point is seen here, a later one finds the waiter.
                    if Task.isCancelled || condition(state.value) {
                        continuation.resume()
                    } else {
                        state.waiters[id] = Waiter(condition: condition, continuation: continuation)
                    }
                }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id)?.continuation.resume() }
        }
    }

    private static func wake(_ state: inout State) {
        for (id, waiter) in state.waiters where waiter.condition(state.value) {
            state.waiters[id] = nil
            waiter.continuation.resume()
        }
    }
}
