import EscaleCore
import EscaleHTTP
import EscaleTestExpectations
import Synchronization
import Testing

@Suite struct StreamTests {
    @Test(.timeLimit(.minutes(1))) func eachWriteArrivesAtOnce() async throws {
        let arrived = Signal()
        let handler: HTTPServer.Handler = { _ in
            .stream { writer in
                try await writer.write("{\"step\":1}\n")
                await arrived.wait()
                try await writer.write("\n{\"step\":2}\r\n{\"st")
                try await writer.write("ep\":3}")
            }
        }
        try await ServerFixture.with(handler) { fixture in
            let response = try await fixture.client.stream(HTTPRequest(.get, "/progress"))
            #expect(response.status == .ok)
            var lines: [String] = []
            for try await line in response.body.lines() {
                lines.append(line.text)
                await arrived.set()
            }
            #expect(lines == ["{\"step\":1}", "{\"step\":2}", "{\"step\":3}"])
        }
    }

    @Test(.timeLimit(.minutes(1))) func aSlowReaderHoldsTheProducerBack() async throws {
        let written = Atomic(0)
        let total = 32 << 20
        let handler: HTTPServer.Handler = { _ in
            .stream { writer in
                for _ in 0..<total / 65536 {
                    try await writer.write([UInt8](repeating: 5, count: 65536))
                    written.add(65536, ordering: .relaxed)
                }
            }
        }
        try await ServerFixture.with(handler) { fixture in
            let response = try await fixture.client.stream(HTTPRequest(.get, "/"))
            try await Task.sleep(for: .milliseconds(300))
            let ahead = written.load(ordering: .relaxed)
            #expect(ahead < 4 << 20, "the producer is \(ahead) bytes ahead of a reader that hasn't begun")
            var count = 0
            for try await chunk in response.body { count += chunk.count }
            #expect(count == total)
        }
    }

    @Test func aProducerThatThrowsBreaksTheAnswer() async throws {
        struct Failed: Error {}
        let handler: HTTPServer.Handler = { _ in
            .stream { writer in
                try await writer.write("half")
                throw Failed()
            }
        }
        try await ServerFixture.with(handler) { fixture in
            await expectError(.httpInterrupted) { _ = try await fixture.client.send(HTTPRequest(.get, "/")) }
        }
    }

    @Test func finishEndsTheBodyBeforeTheProducerReturns() async throws {
        let cancelled = Signal()
        let handler: HTTPServer.Handler = { _ in
            .stream { writer in
                try await writer.write("whole")
                writer.finish()
                await sleepUntilCancelled(cancelled)
            }
        }
        try await ServerFixture.with(handler) { fixture in
            let text = try await fixture.client.send(HTTPRequest(.get, "/")).body.text
            #expect(text == "whole")
        }
        #expect(await cancelled.isSet(within: .seconds(60)))
    }

    @Test func anAnswerOverTheClientsLimitIsRefused() async throws {
        try await ServerFixture.with({ _ in HTTPResponse(.ok, body: [UInt8](repeating: 0, count: 5000)) }) {
            fixture in
            await expectError(.httpTooLarge) {
                _ = try await fixture.client.send(HTTPRequest(.get, "/"), bodyLimit: ByteCount(4999))
            }
        }
    }

    @Test func linesAreFoundAcrossChunks() async throws {
        let chunks = AsyncStream<[UInt8]> { continuation in
            for text in ["a", "b\nc\n\n", "", "\r\nd\re\r", "\n", "last"] {
                continuation.yield(Array(text.utf8))
            }
            continuation.finish()
        }
        var lines: [String] = []
        for try await line in chunks.lines() { lines.append(line.text) }
        #expect(lines == ["ab", "c", "d\re", "last"])
    }
}
