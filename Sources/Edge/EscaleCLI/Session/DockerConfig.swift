import EscaleAPI
import EscaleCore
import EscaleSystem
import EscaleYAML
import FoundationEssentials
import Glibc

/// Who the user is at registries, as Docker keeps it: `config.json` in `$DOCKER_CONFIG` or `~/.docker`, with credential helpers.
///
/// What else is in the file stays as it is.
struct DockerConfig {
    /// Docker's old name for its own registry.
    private static let oldName = "https://index.docker.io/v1/"
    private static let ownName = "docker.io"

    private let path: String
    private let environment: [String: String]
    private var content: YAMLValue

    /// - Throws: `registry.login-file` for a file that is no JSON object.
    init(environment: [String: String]) throws(EscaleError) {
        let home = environment["HOME"] ?? "/root"
        let directory = environment["DOCKER_CONFIG"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(home)/.docker"
        path = "\(directory)/config.json"
        self.environment = environment
        content = .map([])
        guard Files.exists(path) else { return }
        guard let value = try? JSONDecoder().decode(YAMLValue.self, from: Data(try Files.read(path))),
            case .map = value
        else {
            throw EscaleError(
                .init("registry.login-file"),
                "\(path) is not a JSON object",
                hint: "repair it, or move it away and log in again"
            )
        }
        content = value
    }

    // MARK: Reading

    /// What is known for a registry; `nil` where nothing is.
    func credential(for host: String) async throws -> RegistryCredential? {
        if let helper = helper(for: host) {
            if let found = try await ask(helper, "get", for: host) { return found }
        }
        guard
            let entry = content["auths"]?[host]
                ?? (host == Self.ownName ? content["auths"]?[Self.oldName] : nil)
        else {
            return nil
        }
        return Self.credential(entry)
    }

    private static func credential(_ entry: YAMLValue) -> RegistryCredential? {
        let identity = entry["identitytoken"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        if let text = entry["auth"]?.stringValue, let bytes = Data(base64Encoded: text) {
            let parts = String(decoding: bytes, as: UTF8.self)
                .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2, !parts[0].isEmpty {
                return RegistryCredential(username: parts[0], password: parts[1], identityToken: identity)
            }
        }
        guard let user = entry["username"]?.stringValue else {
            return identity.map { RegistryCredential(username: "", password: "", identityToken: $0) }
        }
        return RegistryCredential(
            username: user,
            password: entry["password"]?.stringValue ?? "",
            identityToken: identity
        )
    }

    /// For each of these registries what is known.
    func credentials(for hosts: some Sequence<String>) async throws -> [String: RegistryCredential] {
        var found: [String: RegistryCredential] = [:]
        for host in Set(hosts) { found[host] = try await credential(for: host) }
        return found
    }

    /// For every registry that the file names: for a build, whose Dockerfile says only later what it needs.
    func allCredentials() async throws -> [String: RegistryCredential] {
        let names = (content["auths"]?.members ?? []).map(\.key) + (content["credHelpers"]?.members ?? []).map(\.key)
        var found: [String: RegistryCredential] = [:]
        for name in Set(names.map { $0 == Self.oldName ? Self.ownName : $0 }) {
            // A helper that fails for one registry must not stop a build that doesn't need it.
            found[name] = try? await credential(for: name)
        }
        return found
    }

    // MARK: Helpers

    private func helper(for host: String) -> String? {
        content["credHelpers"]?[host]?.stringValue ?? content["credsStore"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }

    private struct Answer: Decodable {
        let Username: String
        let Secret: String
    }

    private func ask(_ helper: String, _ verb: String, for host: String) async throws -> RegistryCredential? {
        let server = host == Self.ownName ? Self.oldName : host
        let result = try await run(helper, verb, server)
        guard result.status == 0 else {
            if result.text.contains("credentials not found") { return nil }
            throw EscaleError(
                .init("registry.login-helper"),
                "docker-credential-\(helper) can't say who you are at \(host)",
                details: [.init("output", result.tail(5))]
            )
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(result.output)) else {
            throw EscaleError(
                .init("registry.login-helper"),
                "docker-credential-\(helper) gives an answer that is not understood"
            )
        }
        return answer.Username == "<token>"
            ? RegistryCredential(username: "", password: "", identityToken: answer.Secret)
            : RegistryCredential(username: answer.Username, password: answer.Secret)
    }

    private func run(_ helper: String, _ verb: String, _ input: String) async throws -> CommandResult {
        let name = "docker-credential-\(helper)"
        let directories = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        guard !helper.contains("/"),
            let program = directories.map({ (directory) -> String in "\(directory)/\(name)" })
                .first(where: { (path: String) in access(path, X_OK) == 0 })
        else {
            throw EscaleError(
                .init("registry.login-helper"),
                "\(name), which \(path) names, is not on the PATH",
                hint: "install it, or remove its name from the file"
            )
        }
        return try await Command(program, [verb], environment: environment)
            .run(input: Array(input.utf8), timeout: .seconds(60))
    }

    // MARK: Writing

    /// Remembers who the user is at the registry: with the credential helper, or in the file.
    mutating func store(_ credential: RegistryCredential, for host: String) async throws {
        let server = host == Self.ownName ? Self.oldName : host
        if let helper = helper(for: host) {
            let entry = YAMLValue.object([
                "ServerURL": .string(server), "Username": .string(credential.username),
                "Secret": .string(credential.password),
            ])
            let result = try await run(helper, "store", try JSONText.line(entry))
            guard result.status == 0 else {
                throw EscaleError(
                    .init("registry.login-helper"),
                    "docker-credential-\(helper) did not keep the password",
                    details: [.init("output", result.tail(5))]
                )
            }
            return
        }
        let text = Data("\(credential.username):\(credential.password)".utf8).base64EncodedString()
        var auths = content["auths"] ?? .map([])
        auths[server] = .object(["auth": .string(text)])
        content["auths"] = auths
        try write()
    }

    /// Forgets who the user is; `false` where that wasn't known.
    mutating func remove(_ host: String) async throws -> Bool {
        let server = host == Self.ownName ? Self.oldName : host
        var isKnown = false
        if let helper = helper(for: host) {
            isKnown = try await ask(helper, "get", for: host) != nil
            _ = try await run(helper, "erase", server)
        }
        var auths = content["auths"] ?? .map([])
        let before = auths
        auths[host] = nil
        auths[server] = nil
        guard auths.members.count < before.members.count else { return isKnown }
        content["auths"] = auths
        try write()
        return true
    }

    private func write() throws {
        // A relative one is in the working directory.
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/"
        )
        try Files.createDirectories(directory, mode: 0o700)
        try Files.replace(path, Array(try JSONText.pretty(content).utf8), mode: 0o600)
    }
}
