/// An answer's body as it arrives, in chunks of no meaning; for one reader.
///
/// At most 256 KiB and one chunk wait to be read, then the server has to wait. Letting go of the stream, or
/// cancelling the task that reads it, closes the connection.
package final class HTTPBodyStream: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let stream: HTTPBodyStream

        /// - Throws: `http.interrupted` where the server broke off, `http.timeout`, `CancellationError`.
        package mutating func next() async throws -> [UInt8]? { try await stream.next() }
    }

    private let incoming: IncomingResponse
    private let thread: CurlThreadOwner

    init(_ incoming: IncomingResponse, _ thread: CurlThreadOwner) {
        self.incoming = incoming
        self.thread = thread
    }

    deinit { cancel() }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }

    /// Closes the connection; reading on gives what has arrived and then `CancellationError`.
    package func cancel() {
        if !incoming.isEnded { thread.submit(.cancel(incoming)) }
    }

    func head() async throws -> IncomingResponse.Head {
        guard let head = try await incoming.head() else { throw abandoned() }
        return head
    }

    private func next() async throws -> [UInt8]? {
        switch await incoming.next() {
        case .chunk(let bytes, let resumes):
            if resumes { thread.submit(.resume(incoming)) }
            return bytes
        case .end: return nil
        case .failed(let error): throw error
        case .abandoned: throw abandoned()
        }
    }

    /// The waiting task was cancelled.
    private func abandoned() -> any Error {
        cancel()
        return CancellationError()
    }
}
