import EscaleCluster
import EscaleCore
import EscaleHTTP
import EscaleTestExpectations
import EscaleTestSupport
import EscaleYAML
import FoundationEssentials
import Testing

@Suite struct ExecPluginTests {
    private static let version = "client.authentication.k8s.io/v1"

    /// What a program prints that gives this.
    private static func credential(_ status: String, _ version: String = version) -> String {
        "cat <<EOT\n{\"apiVersion\":\"\(version)\",\"kind\":\"ExecCredential\",\"status\":\(status)}\nEOT"
    }

    /// A client whose program `login` counts its runs in `runs`; `$n` is the how manieth it is.
    private func client(
        _ api: FakeAPI, _ script: String, cluster: String = "certificate-authority: server.crt", fields: String = "", limit: Duration = .seconds(30)
    ) throws -> ClusterClient {
        try api.directory.file("login", "#!/bin/sh\ncd \(api.directory.path)\necho run >> runs\nn=$(wc -l < runs)\n\(script)\n", mode: 0o755)
        let user = "exec:\n  apiVersion: \(Self.version)\n  command: ./login\n\(fields.split(separator: "\n").map { "  \($0)\n" }.joined())"
        return try api.client(cluster: cluster, user: user) { access in
            guard case .exec(var plugin) = access.credential else { return }
            plugin.limit = limit
            access.credential = .exec(plugin)
        }
    }

    private func runs(_ api: FakeAPI) throws -> Int { try api.directory.text("runs").split(separator: "\n").count }

    // MARK: What it gives

    @Test func aTokenIsKeptUntilItIsRefused() async throws {
        try await FakeAPI.with { request, _ in
            request.headers["Authorization"] == "Bearer token-2" ? .object : .status(401, "no")
        } _: { api in
            let client = try client(api, Self.credential("{\"token\":\"token-$n\"}"))
            for _ in 0..<3 { try await client.web() }
            #expect(try runs(api) == 2)
            #expect(api.requests.count == 4)
        }
    }

    @Test func aTokenThatIsRefusedTwiceIsGivenUp() async throws {
        try await FakeAPI.with { _, _ in .status(401, "no") } _: { api in
            let client = try client(api, Self.credential("{\"token\":\"SECRET\"}"))
            let error = await expectError(.init("cluster.unauthorized"), "log in again") { try await client.web() }
            #expect(error?.rendered().contains("SECRET") == false)
            #expect(try runs(api) == 2)
        }
    }

    @Test(arguments: [("2020-01-01T00:00:00Z", 3), ("2999-01-01T00:00:00+01:00", 1)])
    func whatExpiresIsAskedForAgain(end: String, times: Int) async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            let client = try client(api, Self.credential("{\"token\":\"a\",\"expirationTimestamp\":\"\(end)\"}"))
            // Three requests: the first needs to know what the version has.
            for _ in 0..<2 { try await client.web() }
            #expect(try runs(api) == times)
        }
    }

    @Test func manyCallsLogInOnce() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            let client = try client(api, "sleep 0.3\n" + Self.credential("{\"token\":\"a\"}"))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await client.web() } }
                try await group.waitForAll()
            }
            #expect(try runs(api) == 1)
        }
    }

    @Test func aCertificateIsShown() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            try await FakeAPI.makeCertificate("own", in: api.directory)
            func json(_ name: String) throws -> String { JSONWriter.text(.string(try api.directory.text(name))) }
            let status = "{\"clientCertificateData\":\(try json("own.crt")),\"clientKeyData\":\(try json("own.key"))}"
            try api.directory.file("answer", #"{"apiVersion":"\#(Self.version)","kind":"ExecCredential","status":\#(status)}"#)
            let good = try client(api, "cat answer")
            try await good.web()
            #expect(api.requests.last?.headers["Authorization"] == nil)
            // It is used: with another key it can't be.
            let other = "{\"clientCertificateData\":\(try json("own.crt")),\"clientKeyData\":\(try json("server.key"))}"
            try api.directory.file("answer", #"{"apiVersion":"\#(Self.version)","kind":"ExecCredential","status":\#(other)}"#)
            await expectError(.clusterUnreachable, "the client's own certificate and key can't be used") { try await client(api, "cat answer").web() }
        }
    }

    // MARK: What it gets

    @Test func itIsToldOfTheCluster() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            let script = "printf %s \"$KUBERNETES_EXEC_INFO\" > info\necho \"$A-$PATH-$*\" > words\n" + Self.credential("{\"token\":\"a\"}")
            func told(_ fields: String) async throws -> YAMLValue {
                let cluster = "certificate-authority: server.crt\ntls-server-name: kubernetes.example\n"
                    + "extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x}}]"
                try await client(api, script, cluster: cluster, fields: fields).web()
                return try JSONDecoder().decode(YAMLValue.self, from: Data(try api.directory.text("info").utf8))
            }
            let plain = try await told("args: [get, 'a b']\nenv: [{name: A, value: b}]")
            #expect(plain["apiVersion"]?.stringValue == Self.version && plain["kind"] == "ExecCredential")
            #expect(plain.value(at: "spec", "interactive") == false && plain.value(at: "spec", "cluster") == nil)
            #expect(try api.directory.text("words") == "b-/usr/bin:/bin-get a b\n")

            let cluster = try await told("provideClusterInfo: true").value(at: "spec", "cluster")
            #expect(cluster?["server"] == .string("https://127.0.0.1:\(api.port)"))
            #expect(cluster?["tls-server-name"] == "kubernetes.example")
            #expect(cluster?["certificate-authority-data"] == .string(Data(try api.directory.text("server.crt").utf8).base64EncodedString()))
            #expect(cluster?.value(at: "config", "audience") == "x")
            #expect(cluster?["insecure-skip-tls-verify"] == nil)
        }
    }

    // MARK: What is wrong with it

    @Test(arguments: [
        ("echo 'the session is over {1}' >&2; echo '{SECRET}'; exit 3", ["ended with 3", "it said:\n    the session is over {1}"]),
        ("echo SECRET", ["gave no ExecCredential"]), ("", ["gave no ExecCredential"]),
        ("echo '{\"kind\":\"Pod\",\"token\":\"SECRET\"}'", ["gave no ExecCredential"]),
        (credential("{\"token\":\"SECRET\"}", "client.authentication.k8s.io/v1beta1"), ["of another version, client.authentication.k8s.io/v1beta1"]),
        (credential("null"), ["neither a token nor a certificate"]), (credential("{\"token\":\"\"}"), ["neither a token nor a certificate"]),
        (credential("{\"token\":\"SECRET\",\"clientKeyData\":\"SECRET\"}"), ["only one of a certificate and its key"]),
        (credential("{\"token\":\"SECRET\",\"expirationTimestamp\":\"soon\"}"), ["expires at no time"]),
        ("echo 'open https://login.example' >&2; exec sleep 60", ["took more than 1 s", "open https://login.example"]),
    ])
    func isSaid(script: String, words: [String]) async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            let error = await expectError(.init("cluster.exec"), "login ", "install the tool") {
                try await client(api, script, fields: "installHint: install the tool", limit: .seconds(script.contains("sleep") ? 1 : 30)).web()
            }
            let text = error?.rendered() ?? ""
            for one in words { #expect(text.contains(one), "\(one) is not in:\n\(text)") }
            #expect(!text.contains("SECRET"), "\(text)")
            #expect(api.requests.isEmpty)
        }
    }

    /// A warning on its other stream spoils nothing.
    @Test func whatItTellsPeopleIsNoPartOfIt() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            try await client(api, "echo '{a warning}' >&2; echo Welcome.; \(Self.credential("{\"token\":\"a\"}"))\necho '{another}' >&2").web()
            #expect(api.requests.last?.headers["Authorization"] == "Bearer a")
        }
    }

    @Test func aProgramThatIsMissingIsSaid() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            func fails(_ command: String, _ words: String...) async {
                let error = await expectError(.init("cluster.exec")) {
                    try await api.client(user: "exec: {apiVersion: \(Self.version), command: \(command)}").web()
                }
                for one in words { #expect(error?.rendered().contains(one) == true, "\(String(describing: error))") }
            }
            await fails("no-such-login-tool", "program no-such-login-tool is not here", "install it")
            await fails("/no/such/tool", "program /no/such/tool is not here")
            try api.directory.file("text", "no program", mode: 0o644)
            await fails("./text", "can't be started", "Permission denied")
        }
    }
}
