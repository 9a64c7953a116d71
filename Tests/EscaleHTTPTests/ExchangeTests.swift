import EscaleCore
import EscaleHTTP
import EscaleTestExpectations
import Testing

@Suite struct ExchangeTests {
    @Test func aRequestArrivesAsItWasSent() async throws {
        let handler: HTTPServer.Handler = { request in
            var headers: HTTPHeaders = ["X-Method": request.method.rawValue, "X-Path": request.path]
            headers.add("X-Segments", request.segments.joined(separator: "|"))
            headers.add(
                "X-Query",
                request.query.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
            )
            headers.add("X-Header", request.headers["x-some-HEADER"] ?? "none")
            return HTTPResponse(.created, headers: headers, body: request.body)
        }
        try await ServerFixture.with(handler) { fixture in
            let request = HTTPRequest(
                .put,
                segments: ["images", "shop/api ü"],
                query: ["a": "1+1 & more", "all": ""],
                headers: ["X-Some-Header": "yes"],
                body: [0, 1, 2, 255]
            )
            let response = try await fixture.client.send(request)
            #expect(response.status == .created)
            #expect(response.body == [0, 1, 2, 255])
            #expect(response.headers["x-method"] == "PUT")
            #expect(response.headers["X-Path"] == "/images/shop/api ü")
            #expect(response.headers["X-Segments"] == "images|shop/api ü")
            #expect(response.headers["X-Query"] == "a=1+1 & more|all=")
            #expect(response.headers["X-Header"] == "yes")
        }
    }

    @Test(arguments: [HTTPMethod.get, .head, .post, .delete])
    func emptyBodiesWork(method: HTTPMethod) async throws {
        try await ServerFixture.with({ HTTPResponse(.noContent, headers: ["X-Count": "\($0.body.count)"]) }) {
            fixture in
            let response = try await fixture.client.send(HTTPRequest(method, "/"), timeout: .seconds(5))
            #expect(response.status == .noContent)
            #expect(response.headers["X-Count"] == "0")
        }
    }

    @Test func fiveMegabytesGoBothWays() async throws {
        let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        try await ServerFixture.with({ HTTPResponse(.ok, body: $0.body) }) { fixture in
            let response = try await fixture.client.send(HTTPRequest(.post, "/", body: bytes))
            #expect(response.body == bytes)
        }
    }

    @Test func aBodyOverTheLimitIsRefusedAndTheServerGoesOn() async throws {
        let limit = ByteCount(100_000)
        try await ServerFixture.with(bodyLimit: limit, { HTTPResponse(.ok, body: $0.body) }) { fixture in
            for size in [100_001, 1_000_000] {
                let body = [UInt8](repeating: 1, count: size)
                let response = try await fixture.client.send(HTTPRequest(.post, "/", body: body))
                #expect(response.status == .contentTooLarge)
            }
            let body = [UInt8](repeating: 1, count: 100_000)
            #expect(try await fixture.client.send(HTTPRequest(.post, "/", body: body)).body.count == 100_000)
        }
    }

    @Test func fiftyRequestsAtOnceAreAnswered() async throws {
        let handler: HTTPServer.Handler = { request in
            try? await Task.sleep(for: .milliseconds(20))
            return .text(.ok, request.path)
        }
        try await ServerFixture.with(handler) { fixture in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await fixture.client.send(HTTPRequest(.get, "/\(number)")).body.text
                            == "/\(number)"
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test func aLoopbackPortWorksToo() async throws {
        let server = HTTPServer(address: .loopback(port: 0)) { .text(.ok, $0.path) }
        try server.start()
        let port = try #require(server.port)
        let client = try HTTPClient(.tcp(host: "127.0.0.1", port: port))
        #expect(try await client.send(HTTPRequest(.get, "/x")).body.text == "/x")
        await server.stop()
        await expectError(.httpUnreachable) { _ = try await client.send(HTTPRequest(.get, "/x")) }
    }
}
