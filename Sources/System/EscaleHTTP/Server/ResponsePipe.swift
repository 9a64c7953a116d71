import CMicroHTTPD
import EscaleCore
import Glibc

/// Carries an answer from the handler's task to the connection's thread.
///
/// The task suspends while the buffer is full. The thread blocks in `poll` on the client's socket and on an
/// event descriptor that the task signals, so it sees both new bytes and a client that goes away.
final class ResponsePipe: Sendable {
    enum Part { case bytes(Int), end, broken }

    private struct State {
        var response: HTTPResponse?
        var buffer = ByteQueue()
        /// Nothing will be written any more.
        var isFinished = false
        /// The producer threw: the body is incomplete.
        var isBroken = false
        /// The client is gone, or has all it asked for.
        var isClosed = false
    }

    static let capacity = 256 * 1024

    private let state = Monitor(State())
    private let event: Int32

    /// `nil` where the process has no descriptor left.
    init?() {
        let descriptor = c_mhd_event_descriptor()
        guard descriptor >= 0 else { return nil }
        event = descriptor
    }

    deinit { Glibc.close(event) }

    // MARK: the handler's task

    /// Runs the handler, then produces the body.
    func serve(_ request: HTTPRequest, _ handler: HTTPServer.Handler) async {
        let response = await handler(request)
        state.withLock { $0.response = response }
        signal()
        switch response.body {
        case .bytes, .file: return
        case .stream(let produce):
            do {
                try await produce(HTTPBodyWriter(pipe: self))
                finish()
            } catch {
                state.withLock { $0.isBroken = true }
                signal()
            }
        }
    }

    func write(_ bytes: [UInt8]) async throws {
        while try !store(bytes) {
            await state.wait { $0.isClosed || $0.buffer.count <= Self.capacity / 2 }
        }
        signal()
    }

    /// Takes the bytes if there is room. Inlined into its asynchronous caller it crashes the optimizer of Swift 6.3.1.
    @inline(never)
    private func store(_ bytes: [UInt8]) throws -> Bool {
        try Task.checkCancellation()
        return try state.withLock { state throws(EscaleError) in
            guard !state.isClosed else { throw .clientGone }
            guard !state.isFinished else {
                throw EscaleError(.internalFault, "written after the body's end")
            }
            guard state.buffer.count < Self.capacity else { return false }
            state.buffer.append(bytes)
            return true
        }
    }

    func finish() {
        state.withLock { $0.isFinished = true }
        signal()
    }

    private func signal() {
        var one: UInt64 = 1
        _ = Glibc.write(event, &one, 8)  // can only fail when it is signalled already
    }

    // MARK: the connection's thread

    /// Blocks until the handler has answered; `nil` when the client is gone before.
    func waitForResponse(_ client: ClientWatch) -> HTTPResponse? {
        while true {
            if let response = state.withLock({ $0.response }) { return response }
            guard client.wait(for: event) else { return nil }
        }
    }

    /// Blocks until there are bytes, and moves as many as there is room for.
    func read(into buffer: UnsafeMutableRawBufferPointer, _ client: ClientWatch) -> Part {
        while true {
            let part: Part? = state.withLock { state in
                if !state.buffer.isEmpty { return .bytes(state.buffer.move(into: buffer)) }
                if state.isBroken { return .broken }
                return state.isFinished ? .end : nil
            }
            if let part { return part }
            guard client.wait(for: event) else { return .broken }
        }
    }

    /// Nobody reads any more: writers get `http.client-gone`.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.buffer.removeAll()
        }
    }
}

/// Where a handler writes a streamed body.
package struct HTTPBodyWriter: Sendable {
    let pipe: ResponsePipe

    /// Sends bytes as soon as the client takes them; suspends while 256 KiB wait to be sent.
    ///
    /// Several tasks may write; each call's bytes stay together.
    /// - Throws: `http.client-gone` or `CancellationError` when the client has closed the connection: stop
    ///   producing.
    package func write(_ bytes: [UInt8]) async throws { try await pipe.write(bytes) }

    /// Sends the text as UTF-8.
    package func write(_ text: String) async throws { try await pipe.write(Array(text.utf8)) }

    /// Ends the body before the producer returns; writing after it is an error.
    package func finish() { pipe.finish() }
}
