import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleNetlink
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

@Suite struct CertificateTests {
    @Test func certificatesAreChosenAndRenewedWithoutAReload() async throws {
        try await Fixture.with { f in
            try await f.fastReplicas(10...10)
            func issue(_ name: String, _ file: String) async throws -> HTTPSettings.Certificate {
                let (certificate, key) = (f.scratch("\(file).pem"), f.scratch("\(file).key"))
                let made = try await Command(
                    "/usr/bin/openssl",
                    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
                     "-subj", "/CN=\(name)/O=\(UInt32.random(in: 0 ... .max))", "-addext", "subjectAltName=DNS:\(name)", "-keyout", key, "-out", certificate]
                ).run()
                #expect(made.status == 0, "\(made.text)")
                return .init(certificate: certificate, key: key)
            }
            func shown(_ name: String) async throws -> String {
                let script = "openssl s_client -connect \(f.address(1)):8443 -servername \(name) </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -subject"
                return try await Command("/bin/sh", ["-c", script]).run(timeout: .seconds(60)).text
            }
            let certificates = [try await issue("a.example", "a"), try await issue("b.example", "b")]
            var state = f.state([f.server(10)])
            state.listeners.append(
                GatewayListener(
                    hostAddress: f.address(1), port: 8443, security: .tls(certificates), routes: state.listeners[0].routes))
            try await f.gateway.apply(state)
            #expect(try await shown("a.example").contains("a.example"))
            let before = try await shown("b.example")
            #expect(before.contains("b.example"))
            let answer = try await f.curl("-k", "--http2", "--resolve", "a.example:8443:\(f.address(1))", "https://a.example:8443/")
            #expect(answer.headers.hasPrefix("HTTP/2 200"))

            _ = try await issue("b.example", "b")
            #expect(try await !f.gateway.verify())
            let after = try await shown("b.example")
            #expect(after != before && after.contains("b.example"))
            _ = try await issue("b.example", "b")
            try await f.gateway.apply(state)
            #expect(try await shown("b.example") != after)
            #expect(try f.reloads() == 0)

            // A key that isn't the certificate's is refused by name, and what was there goes on.
            let kept = try await shown("b.example")
            try Files.write(certificates[1].key, try Files.read(certificates[0].key))
            do {
                try await f.gateway.apply(state)
                Issue.record("accepted a wrong key")
            } catch let error as EscaleError {
                #expect(error.code.rawValue == "gateway.certificate")
                #expect(error.message.contains(certificates[1].certificate))
            }
            #expect(try await shown("b.example") == kept)
        }
    }
}
