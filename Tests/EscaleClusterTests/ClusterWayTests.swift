import EscaleCluster
import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleTestExpectations
import EscaleTestSupport
import FoundationEssentials
import Testing

/// The way to a server: whom to believe, under which name, by which proxy.
@Suite struct ClusterWayTests {
    @Test func theServerIsBelievedByItsAuthorityAlone() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            try await FakeAPI.makeCertificate("other", in: api.directory)
            for cluster in ["certificate-authority: other.crt", ""] {
                await expectError(.clusterUnreachable, "127.0.0.1:\(api.port) is not trusted", "certificate-authority") {
                    try await api.client(cluster: cluster).web()
                }
            }
            #expect(try await api.client(cluster: "insecure-skip-tls-verify: true").web())
        }
    }

    @Test func theServersNameMayBeAnother() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            let trust = "certificate-authority: server.crt\ntls-server-name:"
            let client = try api.client(cluster: "\(trust) kubernetes.example")
            #expect(try await client.web())
            // The request is to the host, all the same.
            #expect(api.requests.last?.headers["Host"] == "127.0.0.1:\(api.port)")
            await expectError(.clusterUnreachable, "is not trusted", "for another name") {
                try await api.client(cluster: "\(trust) other.example").web()
            }
        }
    }

    @Test func aCertificateThatIsNoneIsSaid() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            try await FakeAPI.makeCertificate("other", in: api.directory)
            await expectError(.clusterUnreachable, "the client's own certificate and key can't be used", "look at client-certificate") {
                try await api.client(user: "client-certificate: other.crt\nclient-key: server.key").web()
            }
        }
    }

    /// In files and in texts; OpenSSL's own server wants to see it.
    @Test(arguments: [false, true])
    func aClientShowsItsCertificate(inside: Bool) async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            let directory = api.directory
            try await FakeAPI.makeCertificate("client", in: directory)
            let body = #"{"resources":[{"name":"pods","kind":"Pod"}]}"#
            try directory.file("api/v1", "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)")
            let port = try await freePort()
            let null = try FileDescriptor("/dev/null", 2)
            let server = try await Command(
                "/usr/bin/openssl",
                [
                    "s_server", "-accept", "127.0.0.1:\(port)", "-cert", "server.crt", "-key", "server.key", "-Verify", "1", "-verify_return_error",
                    "-CAfile", "client.crt", "-HTTP", "-quiet",
                ],
                directory: directory.path
            ).blockingSpawn([null, null, null])
            func user(_ key: String, _ file: String) throws -> String {
                inside ? "\(key)-data: \(Data(try directory.text(file).utf8).base64EncodedString())" : "\(key): \(file)"
            }
            let known = try api.client(
                server: "https://127.0.0.1:\(port)",
                user: try user("client-certificate", "client.crt") + "\n" + user("client-key", "client.key"))
            // It is asked again until the server listens.
            #expect(try await known.resource("Pod", in: ["v1"])?.plural == "pods")
            server.signal(9)
            _ = try await server.wait()
        }
    }

    // MARK: Proxies

    @Test(arguments: ["http://", "http://ana:SECRET@", "socks5://", "socks5h://ana:SECRET@"])
    func aProxyLeadsThere(scheme: String) async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            try await Proxy.with(api.directory) { proxy in
                // Nobody but the proxy knows the name.
                let client = try api.client(
                    server: "https://cluster.invalid:\(api.port)",
                    cluster: "certificate-authority: server.crt\nproxy-url: \(scheme)127.0.0.1:\(proxy)")
                #expect(try await client.web())
                let kind = scheme.hasPrefix("http") ? "http" : "socks5"
                let name = scheme.contains("@") ? "ana:SECRET" : "-"
                #expect(try api.directory.text("proxied").split(separator: "\n").first == "\(kind) cluster.invalid:\(api.port) \(name)")
            }
        }
    }

    @Test func aProxyAndAnotherNameGoTogether() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            try await Proxy.with(api.directory) { proxy in
                let client = try api.client(
                    server: "https://no.invalid:\(api.port)",
                    cluster: "certificate-authority: server.crt\ntls-server-name: kubernetes.example\nproxy-url: http://127.0.0.1:\(proxy)")
                #expect(try await client.web())
                #expect(try api.directory.text("proxied").hasPrefix("http no.invalid:\(api.port) "))
            }
        }
    }

    @Test func whatAProxyDoesNotDoIsSaid() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            try await Proxy.with(api.directory, refuses: true) { proxy in
                func fails(_ url: String, _ words: String...) async throws {
                    let error = await expectError(.clusterUnreachable) {
                        try await api.client(cluster: "certificate-authority: server.crt\nproxy-url: \(url)").web()
                    }
                    let text = error?.rendered() ?? ""
                    for one in words { #expect(text.contains(one), "\(one) is not in:\n\(text)") }
                    #expect(!text.contains("SECRET"), "\(text)")
                }
                try await fails("http://ana:SECRET@127.0.0.1:\(proxy)", "the proxy answered 407", "a name and a password")
                try await fails("socks5://127.0.0.1:\(proxy)", "the proxy socks5://127.0.0.1:\(proxy) found no way to 127.0.0.1:\(api.port)")
                try await fails("http://ana:SECRET@127.0.0.1:1", "nobody listens at the proxy http://127.0.0.1:1")
            }
        }
    }

    @Test func nobodyListens() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            let port = try await freePort()
            await expectError(.clusterUnreachable, "nobody listens at 127.0.0.1:\(port)", "does it run") {
                try await api.client(server: "https://127.0.0.1:\(port)").web()
            }
            await expectError(.clusterUnreachable, "does not speak TLS") {
                let plain = HTTPServer(address: .loopback(port: 0)) { _ in .text(.ok, "") }
                try plain.start()
                let port = plain.port ?? 0
                let outcome: Result<Void, any Error>
                do {
                    outcome = .success(_ = try await api.client(server: "https://127.0.0.1:\(port)").web())
                } catch {
                    outcome = .failure(error)
                }
                await plain.stop(grace: .zero)
                try outcome.get()
            }
        }
    }
}

/// A port that nobody listens at.
private func freePort() async throws -> UInt16 {
    let server = HTTPServer(address: .loopback(port: 0)) { _ in .text(.ok, "") }
    try server.start()
    let port = try #require(server.port)
    await server.stop(grace: .zero)
    return port
}
