import EscaleCore
import EscaleHTTP
import EscaleSystem
import Glibc
import Synchronization
import Testing

/// Bodies that are files on one side, or come piece by piece to the other.
@Suite struct BodyTests {
    private static let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 7) }

    /// A file with these bytes, which goes when it is closed.
    private func file(_ bytes: [UInt8], in directory: String) throws -> FileDescriptor {
        writeFile("\(directory)/input", bytes)
        return try FileDescriptor("\(directory)/input", O_RDONLY)
    }

    @Test func aFileIsSentWholeAndInParts() async throws {
        try await withScratchDirectory { directory in
            // Written in pieces: one write(2) may be short.
            let path = directory + "/input"
            try Files.write(path, Self.bytes)
            let file = try FileDescriptor(path, O_RDONLY)
            let handler: HTTPServer.Handler = { request in
                let from = Int64(request.query["from"] ?? "") ?? 0
                let count = Int64(request.query["count"] ?? "") ?? Int64(Self.bytes.count)
                return HTTPResponse(.ok, body: .file(file, from: from, count: count))
            }
            try await ServerFixture.with(handler) { fixture in
                #expect(try await fixture.client.send(HTTPRequest(.get, "/")).body == Self.bytes)
                for (from, count) in [(0, 0), (0, 1), (5, 10), (1_000_000, 2_000_000), (2_999_999, 1)] {
                    let response = try await fixture.client.send(
                        HTTPRequest(.get, "/", query: ["from": "\(from)", "count": "\(count)"]))
                    #expect(response.body == Array(Self.bytes[from..<from + count]), "\(from) \(count)")
                    #expect(response.headers["Content-Length"] == "\(count)")
                }
                let head = try await fixture.client.send(HTTPRequest(.head, "/"))
                #expect(head.status == .ok)
                #expect(head.body.isEmpty)
                #expect(head.headers["Content-Length"] == "\(Self.bytes.count)")
                // The connection is in order after a HEAD.
                #expect(try await fixture.client.send(HTTPRequest(.get, "/", query: ["count": "3"])).body.count == 3)
            }
        }
    }

    /// Keeps what comes, and says how much that was.
    private final class Keeper: HTTPBodyReceiver {
        private let bytes = Mutex<[UInt8]>([])
        private let pieces = Mutex(0)
        let gone: Signal?

        init(gone: Signal? = nil) { self.gone = gone }
        deinit { if let gone { Task { await gone.set() } } }

        var count: Int { bytes.withLock { $0.count } }

        func receive(_ piece: UnsafeRawBufferPointer) {
            bytes.withLock { $0 += Array(piece) }
            pieces.withLock { $0 += 1 }
        }

        func answer(_ request: HTTPRequest) async -> HTTPResponse {
            let pieces = pieces.withLock { $0 }
            return HTTPResponse(
                .created, headers: ["X-Pieces": "\(pieces)", "X-Body": "\(request.body.count)"], body: bytes.withLock { $0 })
        }
    }

    private func serving(
        _ receiver: @escaping HTTPServer.ReceiverChoice,
        _ body: (HTTPClient) async throws -> Void
    ) async throws {
        let server = HTTPServer(
            address: .tcp(address: "127.0.0.1", port: 0), bodyLimit: ByteCount(1000), receiver: receiver,
            handler: { .text(.ok, "handler \($0.body.count)") })
        try server.start()
        do {
            try await body(try HTTPClient(.tcp(host: "127.0.0.1", port: server.port ?? 0)))
        } catch {
            await server.stop(grace: .zero)
            throw error
        }
        await server.stop(grace: .zero)
    }

    @Test func aBodyComesInPiecesWhateverItsSize() async throws {
        try await serving({ $0.path == "/stream" ? Keeper() : nil }) { client in
            let response = try await client.send(HTTPRequest(.put, "/stream", body: Self.bytes))
            #expect(response.status == .created)
            #expect(response.body == Self.bytes)
            #expect(Int(response.headers["X-Pieces"] ?? "") ?? 0 > 10)
            #expect(response.headers["X-Body"] == "0")
            #expect(try await client.send(HTTPRequest(.post, "/stream")).body.isEmpty)
            // Others have the limit.
            #expect(try await client.send(HTTPRequest(.put, "/", body: [1])).body.text == "handler 1")
            #expect(try await client.send(HTTPRequest(.put, "/", body: Self.bytes)).status == .contentTooLarge)
        }
    }

    @Test func aFileIsUploadedWholeAndInParts() async throws {
        try await withScratchDirectory { directory in
            try Files.write(directory + "/input", Self.bytes)
            let file = try FileDescriptor(directory + "/input", O_RDONLY)
            try await serving({ _ in Keeper() }) { client in
                for (from, count) in [(0, Self.bytes.count), (0, 0), (7, 1), (1_000_000, 1_500_000)] {
                    let told = Mutex(0)
                    let upload = HTTPClient.Upload(file, from: Int64(from), count: Int64(count)) { more in
                        told.withLock { $0 += more }
                    }
                    let response = try await client.send(
                        HTTPRequest(.put, "/", headers: ["Content-Type": "application/x"]), upload: upload)
                    #expect(response.body == Array(Self.bytes[from..<from + count]), "\(from) \(count)")
                    #expect(told.withLock { $0 } == count)
                }
            }
        }
    }

    @Test func aClientThatBreaksOffEndsItsReceiver() async throws {
        let gone = Signal()
        let keeper = Mutex<Keeper?>(Keeper(gone: gone))
        try await withScratchDirectory { directory in
            // A pipe nobody writes to any more: the upload waits for more than there is.
            try Files.write(directory + "/input", Self.bytes)
            let file = try FileDescriptor(directory + "/input", O_RDONLY)
            try await serving({ _ in keeper.withLock { $0.take() } }) { client in
                await #expect(throws: EscaleError.self) {
                    _ = try await client.send(
                        HTTPRequest(.put, "/"),
                        upload: .init(file, from: 0, count: Int64(Self.bytes.count) + 10), timeout: .seconds(20))
                }
                #expect(await gone.isSet(within: .seconds(60)))
            }
        }
    }
}
