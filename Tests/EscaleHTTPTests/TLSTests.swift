import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleTestExpectations
import Testing

@Suite struct TLSTests {
    /// A certificate for 127.0.0.1 and its key, in `NAME.crt` and `NAME.key`.
    private func make(_ name: String, in directory: String) async throws -> HTTPServer.Certificate {
        let made = try await Command(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "\(directory)/\(name).key", "-out",
                "\(directory)/\(name).crt",
            ]
        ).run(timeout: .seconds(60))
        #expect(made.status == 0, "\(made.text)")
        return .init(
            certificate: try Files.readText("\(directory)/\(name).crt"), key: try Files.readText("\(directory)/\(name).key"))
    }

    private func serving(_ body: (_ port: UInt16, _ directory: String) async throws -> Void) async throws {
        let directory = "/tmp/escale-tls-\(UInt64.random(in: 0 ... .max))"
        try Files.createDirectories(directory)
        let server = HTTPServer(
            address: .loopback(port: 0), certificate: try await make("server", in: directory),
            handler: { HTTPResponse(.ok, body: $0.body) })
        try server.start()
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(server.port ?? 0, directory))
        } catch {
            outcome = .failure(error)
        }
        await server.stop(grace: .zero)
        try Files.remove(directory)
        try outcome.get()
    }

    @Test func aServerIsBelievedByItsCertificate() async throws {
        try await serving { port, directory in
            var trust = TLSTrust()
            trust.authority = "\(directory)/server.crt"
            let client = try HTTPClient(.tls(host: "127.0.0.1", port: port, trust))
            let body = [UInt8](repeating: 7, count: 1_000_000)
            for _ in 0..<3 { #expect(try await client.send(HTTPRequest(.post, "/", body: body)).body == body) }
        }
    }

    @Test func whatNobodyVouchesForIsNotBelieved() async throws {
        try await serving { port, directory in
            _ = try await make("other", in: directory)
            await expectError(.httpUntrusted) {
                _ = try await HTTPClient(.tls(host: "127.0.0.1", port: port, TLSTrust())).send(HTTPRequest(.get, "/"))
            }
            for file in ["other.crt", "missing.crt", "server.key"] {
                var trust = TLSTrust()
                trust.authority = "\(directory)/\(file)"
                await expectError(.httpUntrusted) {
                    _ = try await HTTPClient(.tls(host: "127.0.0.1", port: port, trust)).send(HTTPRequest(.get, "/"))
                }
            }
            var careless = TLSTrust()
            careless.verifies = false
            let client = try HTTPClient(.tls(host: "127.0.0.1", port: port, careless))
            #expect(try await client.send(HTTPRequest(.get, "/")).status == .ok)
        }
    }

    @Test func aCertificateIsForItsName() async throws {
        try await serving { port, directory in
            var trust = TLSTrust()
            trust.authority = "\(directory)/server.crt"
            await expectError(.httpUntrusted) {
                _ = try await HTTPClient(.tls(host: "localhost", port: port, trust)).send(HTTPRequest(.get, "/"))
            }
        }
    }

    @Test func whoSpeaksPlainHTTPIsToldSo() async throws {
        let server = HTTPServer(address: .loopback(port: 0)) { _ in .text(.ok, "plain") }
        try server.start()
        await expectError(.httpNoTLS) {
            _ = try await HTTPClient(.tls(host: "127.0.0.1", port: server.port ?? 0, TLSTrust())).send(HTTPRequest(.get, "/"))
        }
        await server.stop(grace: .zero)
        try await serving { port, _ in
            await #expect(throws: EscaleError.self) {
                _ = try await HTTPClient(.tcp(host: "127.0.0.1", port: port)).send(HTTPRequest(.get, "/"), timeout: .seconds(10))
            }
        }
    }

    @Test func aServerNeedsACertificateThatIsOne() async throws {
        let directory = "/tmp/escale-tls-\(UInt64.random(in: 0 ... .max))"
        try Files.createDirectories(directory)
        let (first, second) = (try await make("first", in: directory), try await make("second", in: directory))
        for certificate in [
            HTTPServer.Certificate(certificate: "", key: ""), .init(certificate: "nonsense", key: first.key),
            .init(certificate: first.certificate, key: "nonsense"), .init(certificate: first.certificate, key: second.key),
        ] {
            let server = HTTPServer(address: .loopback(port: 0), certificate: certificate) { _ in .text(.ok, "") }
            await expectError(.httpListenFailed) { try server.start() }
        }
        try Files.remove(directory)
    }
}
