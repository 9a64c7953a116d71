import EscaleHTTP
import Testing

/// Whatever a handler is doing, it is cancelled within a second of its client's leaving.
@Suite struct DisconnectTests {
    @Test func aSilentHandlerIsCancelled() async throws {
        let (began, cancelled) = (Signal(), Signal())
        let handler: HTTPServer.Handler = { _ in
            await began.set()
            await sleepUntilCancelled(cancelled)
            return .text(.ok, "too late")
        }
        try await ServerFixture.with(handler) { fixture in
            let task = Task { try await fixture.client.send(HTTPRequest(.get, "/")) }
            await began.wait()
            task.cancel()
            #expect(await cancelled.isSet(within: .seconds(60)))
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func aSilentStreamIsCancelledWhenItsReaderLetsGo() async throws {
        let cancelled = Signal()
        let handler: HTTPServer.Handler = { _ in
            .stream { writer in
                try await writer.write("hello")
                await sleepUntilCancelled(cancelled)
            }
        }
        try await ServerFixture.with(handler) { fixture in
            var response: HTTPClient.StreamedResponse? = try await fixture.client.stream(
                HTTPRequest(.get, "/")
            )
            #expect(response?.status == .ok)
            response = nil
            #expect(await cancelled.isSet(within: .seconds(60)))
        }
    }

    @Test func aProducerThatWaitsForRoomIsStopped() async throws {
        let stopped = Signal()
        let handler: HTTPServer.Handler = { _ in
            .stream { writer in
                do {
                    while true { try await writer.write([UInt8](repeating: 0, count: 100_000)) }
                } catch {
                    await stopped.set()
                    throw error
                }
            }
        }
        try await ServerFixture.with(handler) { fixture in
            let response = try await fixture.client.stream(HTTPRequest(.get, "/"))
            try await Task.sleep(for: .milliseconds(100))
            #expect(!(await stopped.isSet(within: .zero)))
            response.body.cancel()
            #expect(await stopped.isSet(within: .seconds(60)))
        }
    }

    @Test func aReaderThatIsCancelledClosesTheConnection() async throws {
        let (arrived, cancelled) = (Signal(), Signal())
        let handler: HTTPServer.Handler = { _ in
            .stream { writer in
                try await writer.write("hello")
                await sleepUntilCancelled(cancelled)
            }
        }
        try await ServerFixture.with(handler) { fixture in
            let task = Task {
                for try await _ in try await fixture.client.stream(HTTPRequest(.get, "/")).body {
                    await arrived.set()
                }
            }
            await arrived.wait()
            task.cancel()
            #expect(await cancelled.isSet(within: .seconds(60)))
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func aTCPClientThatLeavesIsNoticedToo() async throws {
        let (began, cancelled) = (Signal(), Signal())
        let server = HTTPServer(address: .loopback(port: 0)) { _ in
            await began.set()
            await sleepUntilCancelled(cancelled)
            return .text(.ok, "too late")
        }
        try server.start()
        let client = try HTTPClient(.tcp(host: "127.0.0.1", port: try #require(server.port)))
        let task = Task { try await client.send(HTTPRequest(.get, "/")) }
        await began.wait()
        task.cancel()
        #expect(await cancelled.isSet(within: .seconds(60)))
        await server.stop(grace: .zero)
    }
}
