import EscaleCore
package import EscaleHTTP
import EscaleSystem
import EscaleYAML
import FoundationEssentials

/// Where a cluster's API is, whom to believe, and who one is.
package struct ClusterAccess: Sendable {
    package enum Credential: Sendable {
        case token(String)
        /// Read anew for each request: kubelets exchange it.
        case tokenFile(String)
        case basic(String, String)
        case exec(ExecPlugin)
    }

    package var server: HTTPURL
    package var trust: TLSTrust
    package var credential: Credential?
    /// The context's name, for people.
    package var context: String

    package init(server: HTTPURL, trust: TLSTrust, context: String) {
        self.server = server
        self.trust = trust
        self.context = context
    }

    /// What a pod has of its service account; `nil` outside of pods.
    static func ofPod(_ environment: [String: String]) throws -> Self? {
        let directory = "/var/run/secrets/kubernetes.io/serviceaccount"
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"].flatMap({ UInt16($0) }),
            Files.exists("\(directory)/token")
        else { return nil }
        var trust = TLSTrust()
        trust.authority = "\(directory)/ca.crt"
        trust.isExclusive = true
        var access = Self(
            server: HTTPURL(isSecure: true, host: host, port: port, target: "/"), trust: trust, context: "in the cluster")
        access.credential = .tokenFile("\(directory)/token")
        return access
    }
}

/// A program that says who one is (client.authentication.k8s.io).
package struct ExecPlugin: Sendable, Hashable {
    var apiVersion: String
    var command: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    /// How to get the program.
    var hint: String?

    init(apiVersion: String, command: String) {
        self.apiVersion = apiVersion
        self.command = command
    }

    /// What a plugin gives.
    struct Answer: Sendable {
        var token: String?
        var certificate: [UInt8]?
        var key: [UInt8]?
        /// When it is no longer good; `nil` for until it is refused.
        var expires: Timestamp?
    }

    /// Asks the program, for half a minute at most.
    ///
    /// - Throws: `cluster.exec` with what the program said, but for what it prints itself.
    func ask(_ environment: [String: String]) async throws -> Answer {
        let search = (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(command)" }
        guard let path = command.hasPrefix("/") ? command : search.first(where: Files.exists), Files.exists(path) else {
            throw EscaleError(.init("cluster.exec"), "the kubeconfig's program \(command) is not here", hint: hint ?? "install it")
        }
        var variables = environment.merging(self.environment) { $1 }
        variables["KUBERNETES_EXEC_INFO"] = JSONWriter.text(
            .object(["apiVersion": .string(apiVersion), "kind": "ExecCredential", "spec": .object(["interactive": false])]))
        let result = try await Command(path, arguments, environment: variables).run(timeout: .seconds(30))
        guard result.status == 0, !result.timedOut else {
            throw EscaleError(
                .init("cluster.exec"), result.timedOut ? "\(command) took more than 30 s" : "\(command) ended with \(result.status)", 
                // What it says may hold what it shall keep to itself.
                hint: hint ?? "run it by hand to see what it says")
        }
        // Words for people may stand before it.
        let text = String(decoding: result.output, as: UTF8.self)
        guard let begin = text.firstIndex(of: "{"), let end = text.lastIndex(of: "}"), begin < end,
            let tree = try? JSONDecoder().decode(YAMLValue.self, from: Data(text[begin...end].utf8)), let status = tree["status"]
        else { throw EscaleError(.init("cluster.exec"), "\(command) gave no ExecCredential", hint: hint) }
        return Answer(
            token: status["token"]?.stringValue, certificate: status["clientCertificateData"]?.stringValue.map { Array($0.utf8) },
            key: status["clientKeyData"]?.stringValue.map { Array($0.utf8) },
            expires: status["expirationTimestamp"]?.stringValue.flatMap { Timestamp($0) })
    }
}
