import EscaleCore
import EscaleHTTP
import EscaleTestExpectations
import Testing

@Suite struct ClientErrorTests {
    @Test func aMissingSocketIsUnreachable() async throws {
        let client = try HTTPClient(.unix(path: "/tmp/escale-no-such.sock"))
        await expectError(.httpUnreachable) { _ = try await client.send(HTTPRequest(.get, "/")) }
    }

    @Test func aPathThroughAFileIsAnotherFailure() async throws {
        let client = try HTTPClient(.unix(path: "/etc/passwd/x.sock"))
        await expectError(.httpConnectFailed) { _ = try await client.send(HTTPRequest(.get, "/")) }
    }

    @Test func aPathThatIsTooLongIsNamed() async {
        let path = "/tmp/" + String(repeating: "x", count: 120)
        await expectError(.httpInvalidRequest) { _ = try HTTPClient(.unix(path: path)) }
    }

    @Test func aSlowAnswerTimesOut() async throws {
        let handler: HTTPServer.Handler = { _ in
            try? await Task.sleep(for: .seconds(60))
            return .text(.ok, "")
        }
        try await ServerFixture.with(handler) { fixture in
            await expectError(.httpTimeout) {
                _ = try await fixture.client.send(HTTPRequest(.get, "/"), timeout: .milliseconds(50))
            }
        }
    }

    @Test func aHeaderCannotSmuggleAnother() async throws {
        try await ServerFixture.with({ _ in .text(.ok, "") }) { fixture in
            let request = HTTPRequest(.get, "/", headers: ["X-A": "1\r\nX-B: 2"])
            await expectError(.httpInvalidRequest) { _ = try await fixture.client.send(request) }
        }
    }
}
