package import EscaleCore

extension AsyncSequence where Element == [UInt8] {
    /// The chunks' bytes as lines: without their line break, and without empty lines, which keep a connection
    /// alive.
    ///
    /// A last line without a line break is given as well. For JSON lines and logs.
    /// - Parameter limit: a longer line is an error, `http.too-large`.
    package func lines(limit: ByteCount = ByteCount(16 << 20)) -> HTTPLines<Self> {
        HTTPLines(chunks: self, limit: Int(limit.rawValue))
    }
}

/// Lines out of chunks of bytes; see ``Swift/AsyncSequence/lines(limit:)``.
package struct HTTPLines<Chunks: AsyncSequence>: AsyncSequence where Chunks.Element == [UInt8] {
    package typealias Element = [UInt8]

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var chunks: Chunks.AsyncIterator
        fileprivate let limit: Int
        private var buffer: [UInt8] = []
        private var start = 0
        /// How far `buffer` was searched for a line break already.
        private var searched = 0
        private var isAtEnd = false

        fileprivate init(_ chunks: Chunks.AsyncIterator, _ limit: Int) {
            self.chunks = chunks
            self.limit = limit
        }

        package mutating func next() async throws -> [UInt8]? {
            while true {
                if let line = bufferedLine() {
                    if line.isEmpty { continue }
                    return line
                }
                guard !isAtEnd else { return nil }
                if let chunk = try await chunks.next(isolation: #isolation) {
                    buffer.removeFirst(start)
                    searched -= start
                    start = 0
                    buffer += chunk
                    guard buffer.count - chunk.count <= limit else {
                        throw EscaleError(.httpTooLarge, "a line is longer than \(limit) bytes")
                    }
                } else {
                    isAtEnd = true
                }
            }
        }

        /// The next line in the buffer, possibly empty; at the end also what is left.
        private mutating func bufferedLine() -> [UInt8]? {
            let lineBreak = buffer[searched...].firstIndex(of: 10)
            guard let end = lineBreak ?? (isAtEnd && start < buffer.count ? buffer.count : nil) else {
                searched = buffer.count
                return nil
            }
            var line = buffer[start..<end]
            if line.last == 13 { line.removeLast() }
            start = end == lineBreak ? end + 1 : end
            searched = start
            return Array(line)
        }
    }

    fileprivate let chunks: Chunks
    fileprivate let limit: Int

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks.makeAsyncIterator(), limit) }
}
