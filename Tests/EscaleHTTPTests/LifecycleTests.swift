import EscaleCore
import EscaleHTTP
import EscaleTestExpectations
import Glibc
import Testing

@Suite struct LifecycleTests {
    @Test(.timeLimit(.minutes(1))) func stoppingEndsAnOpenStream() async throws {
        let cancelled = Signal()
        let handler: HTTPServer.Handler = { _ in
            .stream { writer in
                try await writer.write("hello")
                await sleepUntilCancelled(cancelled)
            }
        }
        try await ServerFixture.with(handler) { fixture in
            let response = try await fixture.client.stream(HTTPRequest(.get, "/"))
            await fixture.server.stop()
            #expect(await cancelled.isSet(within: .seconds(60)))
            await expectError(.httpInterrupted) { for try await _ in response.body {} }
        }
    }

    @Test func stoppingLetsARequestFinish() async throws {
        let began = Signal()
        let handler: HTTPServer.Handler = { _ in
            await began.set()
            try? await Task.sleep(for: .milliseconds(100))
            return .text(.ok, "finished")
        }
        try await ServerFixture.with(handler) { fixture in
            async let response = fixture.client.send(HTTPRequest(.get, "/"))
            await began.wait()
            await fixture.server.stop(grace: .seconds(60))
            let text = try await response.body.text
            #expect(text == "finished")
            #expect(access(fixture.path, F_OK) != 0)
        }
    }

    @Test func runServesUntilItIsCancelled() async throws {
        try await withScratchDirectory { directory in
            let path = directory + "/s.sock"
            let server = HTTPServer(address: .unix(path: path)) { _ in .text(.ok, "yes") }
            let task = Task { try await server.run() }
            while access(path, F_OK) != 0 { try await Task.sleep(for: .milliseconds(2)) }
            #expect(try await HTTPClient(.unix(path: path)).send(HTTPRequest(.get, "/")).status == .ok)
            task.cancel()
            try await task.value
            #expect(access(path, F_OK) != 0)
        }
    }

    @Test func theSocketIsPrivate() async throws {
        try await ServerFixture.with({ _ in .text(.ok, "") }) { fixture in
            var status = stat()
            #expect(stat(fixture.path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
        }
    }

    @Test func aStaleSocketIsReplaced() async throws {
        try await withScratchDirectory { directory in
            let path = directory + "/s.sock"
            leaveStaleSocket(path)
            let client = try HTTPClient(.unix(path: path))
            await expectError(.httpUnreachable) { _ = try await client.send(HTTPRequest(.get, "/")) }
            let server = HTTPServer(address: .unix(path: path)) { _ in .text(.ok, "fresh") }
            try server.start()
            let text = try await client.send(HTTPRequest(.get, "/")).body.text
            #expect(text == "fresh")
            await server.stop()
        }
    }

    @Test func aLiveSocketIsLeftToItsOwner() async throws {
        try await ServerFixture.with({ _ in .text(.ok, "first") }) { fixture in
            let second = HTTPServer(address: .unix(path: fixture.path)) { _ in .text(.ok, "second") }
            await expectError(.httpAddressInUse) { try second.start() }
            let text = try await fixture.client.send(HTTPRequest(.get, "/")).body.text
            #expect(text == "first")
        }
    }

    @Test func aFileThatIsNoSocketIsLeftAlone() async throws {
        try await withScratchDirectory { directory in
            writeFile(directory + "/input", [1, 2, 3])
            let server = HTTPServer(address: .unix(path: directory + "/input")) { _ in .text(.ok, "") }
            await expectError(.httpListenFailed) { try server.start() }
            #expect(access(directory + "/input", F_OK) == 0)
        }
    }

    private func leaveStaleSocket(_ path: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        close(descriptor)
    }
}
