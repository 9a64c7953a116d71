import EscaleCore
import EscaleHTTP
import Testing

/// curl(1) as a client that isn't ours.
@Suite struct CurlTests {
    @Test func answersAreUnderstood() async throws {
        let handler: HTTPServer.Handler = { request in
            .text(
                .ok,
                "\(request.method) \(request.path) \(request.query["q"] ?? "") \(request.headers["user-agent"] ?? "")"
            )
        }
        try await ServerFixture.with(handler) { fixture in
            let output = await curl("--unix-socket \(fixture.path) -A me 'http://localhost/a%20b?q=c+d%26e'")
            #expect(output == "GET /a b c d&e me")
            let head = await curl("--unix-socket \(fixture.path) -I http://localhost/")
            #expect(head.hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func uploadsAndStreamsWork() async throws {
        let handler: HTTPServer.Handler = { request in
            .stream(.accepted) { writer in
                for _ in 0..<3 { try await writer.write("\(request.body.count)\n") }
            }
        }
        try await ServerFixture.with(handler) { fixture in
            let input = fixture.path.replacingSocketName(with: "input")
            writeFile(input, [UInt8](repeating: 65, count: 2_000_000))
            for body in [
                "--data-binary @\(input)", "-H 'Transfer-Encoding: chunked' --data-binary @\(input)",
            ] {
                let output = await curl(
                    "--unix-socket \(fixture.path) -w '%{http_code}' \(body) http://localhost/"
                )
                #expect(output == "2000000\n2000000\n2000000\n202")
            }
        }
    }

    @Test(arguments: ["", "-H 'Transfer-Encoding: chunked'", "-H Expect:"])
    func aBodyOverTheLimitIsRefused(option: String) async throws {
        try await ServerFixture.with(bodyLimit: ByteCount(1_000_000), { _ in .text(.ok, "") }) { fixture in
            let input = fixture.path.replacingSocketName(with: "input")
            writeFile(input, [UInt8](repeating: 65, count: 2_000_000))
            let output = await curl(
                "--unix-socket \(fixture.path) \(option) -o /dev/null -w '%{http_code}' --data-binary @\(input) http://localhost/"
            )
            #expect(output == "413")
        }
    }
}

extension String {
    fileprivate func replacingSocketName(with name: String) -> String {
        String(dropLast("s.sock".count)) + name
    }
}
