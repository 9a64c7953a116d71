import EscaleAPI
import EscaleCore
import EscaleSystem
import Synchronization

/// Commands that change one project: one after the other, in the order in which they came.
///
/// Whoever has to wait is told for whom, and may give up.
final class CommandQueue: Sendable {
    private struct Entry {
        let id: Int
        let name: String
        let since: ContinuousClock.Instant
        /// `nil` for the one whose turn it is.
        var turn: CheckedContinuation<Void, any Error>?
    }

    private struct State {
        var entries: [Entry] = []
        var last = 0
    }

    private let state = Mutex(State())

    /// Runs the body when it is its turn.
    ///
    /// - Parameters:
    ///   - subject: what the commands are about, as the progress names it.
    ///   - command: what others are told who wait for it.
    /// - Throws: `CancellationError` where the task is cancelled while it waits; else what the body throws.
    func run<Result: Sendable>(
        _ subject: String, _ command: String, _ observer: @Sendable (ProgressEvent) -> Void,
        _ body: () async throws -> Result
    ) async throws -> Result {
        let (id, before) = state.withLock { state in
            state.last += 1
            let before = state.entries.last.map { ($0.name, $0.since) }
            state.entries.append(Entry(id: state.last, name: command, since: .now, turn: nil))
            return (state.last, before)
        }
        defer { leave(id) }
        if let (name, since) = before {
            observer(
                ProgressEvent(
                    subject, .working, "Waiting", reason: "for \(name), under way for \(max(0, Int((ContinuousClock.now - since) / .seconds(1)))) s",
                    at: .now))
            try await turn(of: id)
            observer(ProgressEvent(subject, .done, "Ready", at: .now))
        }
        return try await body()
    }

    private func turn(of id: Int) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let isNow = state.withLock { state in
                    guard let index = state.entries.firstIndex(where: { $0.id == id }), index > 0 else { return true }
                    state.entries[index].turn = continuation
                    return false
                }
                if isNow { continuation.resume() }
                if Task.isCancelled { giveUp(id) }
            }
        } onCancel: {
            giveUp(id)
        }
    }

    private func giveUp(_ id: Int) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard let index = state.entries.firstIndex(where: { $0.id == id }) else { return nil }
            defer { state.entries[index].turn = nil }
            return state.entries[index].turn
        }
        waiting?.resume(throwing: CancellationError())
    }

    private func leave(_ id: Int) {
        let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            state.entries.removeAll { $0.id == id }
            guard !state.entries.isEmpty else { return nil }
            defer { state.entries[0].turn = nil }
            return state.entries[0].turn
        }
        next?.resume()
    }
}
