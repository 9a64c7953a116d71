import EscaleCore
import EscaleSystem
import EscaleYAML
import FoundationEssentials

/// A program that says who one is (client.authentication.k8s.io).
package struct ExecPlugin: Sendable, Hashable {
    package var apiVersion: String
    package var command: String
    package var arguments: [String] = []
    package var environment: [String: String] = [:]
    /// How to get the program.
    package var hint: String?
    /// The cluster, for programs that want to know it.
    var cluster: YAMLValue?
    /// How long it may take.
    package var limit = Duration.seconds(30)

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

        /// Whether it is good for a while yet.
        var isGood: Bool { expires.map { $0 - .now > .seconds(30) } ?? true }
    }

    /// Asks the program.
    ///
    /// - Throws: `cluster.exec` with what the program told people, never with what it gave.
    func ask(_ environment: [String: String]) async throws -> Answer {
        let search = (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(command)" }
        guard let path = command.contains("/") ? command : search.first(where: Files.exists), Files.exists(path) else {
            throw failure("the kubeconfig's program \(command) is not here", "install it")
        }
        var variables = environment.merging(self.environment) { $1 }
        variables["KUBERNETES_EXEC_INFO"] = JSONWriter.text(
            .object([
                "apiVersion": .string(apiVersion), "kind": "ExecCredential", "spec": .object(["interactive": false, "cluster": cluster]),
            ]))
        let result: CommandResult
        do {
            result = try await Command(path, arguments, environment: variables).run(separatesErrors: true, timeout: limit)
        } catch let error as EscaleError {
            throw failure("the kubeconfig's program can't be started: \(error.message)", "run it by hand")
        }
        let words = CommandResult(status: 0, output: result.errors, timedOut: false).tail(10)
        func bad(_ message: String) -> EscaleError { failure("the kubeconfig's program \(command) \(message)", "run it by hand", words) }
        if result.timedOut { throw bad("took more than \(limit.components.seconds) s") }
        guard result.status == 0 else { throw bad("ended with \(result.status)") }
        // Words for people may stand before it.
        guard let begin = result.output.firstIndex(of: UInt8(ascii: "{")), let end = result.output.lastIndex(of: UInt8(ascii: "}")), begin < end,
            let tree = try? JSONDecoder().decode(YAMLValue.self, from: Data(result.output[begin...end])), tree["kind"]?.stringValue == "ExecCredential"
        else { throw bad("gave no ExecCredential") }
        guard tree["apiVersion"]?.stringValue == apiVersion else {
            throw bad("gave an ExecCredential of another version, \(tree["apiVersion"]?.stringValue ?? "none")")
        }
        return try answer(tree["status"] ?? .null, bad)
    }

    private func answer(_ status: YAMLValue, _ bad: (String) -> EscaleError) throws -> Answer {
        func text(_ key: String) -> String? { status[key]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }
        var answer = Answer(
            token: text("token"), certificate: text("clientCertificateData").map { Array($0.utf8) }, key: text("clientKeyData").map { Array($0.utf8) })
        if answer.token == nil, answer.certificate == nil, answer.key == nil { throw bad("gave neither a token nor a certificate") }
        if (answer.certificate == nil) != (answer.key == nil) { throw bad("gave only one of a certificate and its key") }
        if let end = text("expirationTimestamp") {
            answer.expires = Timestamp(end)
            if answer.expires == nil { throw bad("says that what it gave expires at no time") }
        }
        return answer
    }

    private func failure(_ message: String, _ remedy: String, _ words: String = "") -> EscaleError {
        EscaleError(.init("cluster.exec"), message, hint: hint ?? remedy, details: words.isEmpty ? [] : [.init("it said", words)])
    }
}
