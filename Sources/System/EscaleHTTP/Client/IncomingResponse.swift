import EscaleCore

/// Carries an answer from libcurl's thread to the task that waits for it.
final class IncomingResponse: Sendable {
    struct Head: Sendable {
        let status: HTTPStatus
        var headers = HTTPHeaders()
    }

    enum Part {
        /// `resumes`: the transfer was held back and there is room again.
        case chunk([UInt8], resumes: Bool)
        case end
        case failed(any Error)
        /// The waiting task was cancelled.
        case abandoned
    }

    private struct State {
        var head: Head?
        var buffer = ByteQueue()
        var isHeldBack = false
        var end: Result<Void, any Error>?
    }

    static let capacity = 256 * 1024

    private let state = Monitor(State())

    var isEnded: Bool { state.withLock { $0.end != nil } }

    // MARK: libcurl's thread

    func begin(_ head: Head) { state.withLock { $0.head = head } }

    /// Takes the bytes in, or none of them when there is no room: then the transfer is held back.
    func offer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        state.withLock { state in
            state.isHeldBack = state.buffer.count >= Self.capacity
            if !state.isHeldBack { state.buffer.append(bytes) }
            return !state.isHeldBack
        }
    }

    /// The first end counts.
    func end(_ result: Result<Void, any Error>) {
        state.withLock { state in
            if state.end == nil { state.end = result }
        }
    }

    // MARK: the waiting task

    /// `nil` when the task was cancelled.
    func head() async throws -> Head? {
        await state.wait { $0.head != nil || $0.end != nil }
        let (head, end) = state.withLock { ($0.head, $0.end) }
        if let head { return head }
        guard let end else { return nil }
        try end.get()
        throw EscaleError(.httpInterrupted, "the server closed the connection without an answer")
    }

    func next() async -> Part {
        await state.wait { !$0.buffer.isEmpty || $0.end != nil }
        return state.withLock { state in
            if !state.buffer.isEmpty {
                defer { state.isHeldBack = false }
                return .chunk(state.buffer.takeAll(), resumes: state.isHeldBack)
            }
            switch state.end {
            case .success: return .end
            case .failure(let error): return .failed(error)
            case nil: return .abandoned
            }
        }
    }
}
