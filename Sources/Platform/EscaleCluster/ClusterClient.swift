import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleYAML
import FoundationEssentials

/// A client of the Kubernetes API: what `escale kube` needs of it, over HTTP/1.1 and TLS.
///
/// What only reads, and what may be done twice, is tried again when the server is overloaded or breaks off. Nobody's token is in an
/// error.
package actor ClusterClient {
    package nonisolated let access: ClusterAccess
    private let environment: [String: String]
    private var http: HTTPClient?
    private var answer: ExecPlugin.Answer?
    /// One question for all who wait.
    private var asking: Task<ExecPlugin.Answer, any Error>?
    private var groups: [String: [APIResource]] = [:]

    /// How long one request may take.
    private static let limit = Duration.seconds(30)
    private static let attempts = 5

    package init(_ access: ClusterAccess, environment: [String: String]) {
        self.access = access
        self.environment = environment
    }

    // MARK: Requests

    /// - Parameters:
    ///   - body: JSON.
    ///   - isRepeatable: whether doing it twice does no harm.
    /// - Throws: `cluster.…` with the server's words.
    func send(
        _ method: HTTPMethod, _ path: String, _ query: [(String, String)] = [], body: YAMLValue? = nil,
        type: String = "application/json", isRepeatable: Bool = true, to deed: String
    ) async throws -> YAMLValue {
        let bytes = try await bytes(method, path, query, body: body, type: type, isRepeatable: isRepeatable, to: deed)
        guard let tree = try? JSONDecoder().decode(YAMLValue.self, from: Data(bytes)) else {
            throw EscaleError.foreignServer(access)
        }
        return tree
    }

    func bytes(
        _ method: HTTPMethod, _ path: String, _ query: [(String, String)] = [], body: YAMLValue? = nil,
        type: String = "application/json", isRepeatable: Bool = true, to deed: String
    ) async throws -> [UInt8] {
        var attempt = 1
        var wasRefused = false
        while true {
            do {
                let response = try await exchange(method, path, query, body: body, type: type)
                switch response.status.rawValue {
                case 200..<300: return response.body
                case 401 where !wasRefused && renewsCredential:
                    wasRefused = true
                    answer = nil
                    http = nil
                    continue
                case 429, 500, 502, 503, 504:
                    guard isRepeatable, attempt < Self.attempts else { throw EscaleError.refused(response, to: deed, access) }
                    let pause = response.headers["Retry-After"].flatMap { Int64($0) }.map { Duration.seconds(min($0, 10)) }
                    try await Task.sleep(for: pause ?? .milliseconds(200 << attempt))
                default: throw EscaleError.refused(response, to: deed, access)
                }
            } catch let error as EscaleError where Self.passes.contains(error.code) {
                guard isRepeatable, attempt < Self.attempts else { throw EscaleError.unreachable(error, to: deed, access) }
                try await Task.sleep(for: .milliseconds(200 << attempt))
            } catch let error as EscaleError where error.code.rawValue.hasPrefix("http.") {
                throw EscaleError.unreachable(error, to: deed, access)
            }
            attempt += 1
        }
    }

    /// Failures of a connection that may be over the next time.
    private static let passes: Set<EscaleError.Code> = [
        .init("http.interrupted"), .init("http.unreachable"), .init("http.connect-failed"),
    ]

    func exchange(
        _ method: HTTPMethod, _ path: String, _ query: [(String, String)], body: YAMLValue?, type: String
    ) async throws -> HTTPClient.Response {
        var headers: HTTPHeaders = ["Accept": "application/json"]
        if let authorization = try await authorization() { headers.add("Authorization", authorization) }
        for field in access.impersonation?.fields ?? [] { headers.add(field.name, field.value) }
        if body != nil { headers.add("Content-Type", type) }
        var parameters = HTTPQuery()
        for (name, value) in query { parameters.add(name, value) }
        let base = access.server.target == "/" ? "" : access.server.target.hasSuffix("/") ? String(access.server.target.dropLast()) : access.server.target
        let encoded = parameters.encoded
        let target = base + path + (encoded.isEmpty ? "" : "?\(encoded)")
        let request = HTTPRequest(method, target: target, headers: headers, body: body.map { Array(JSONWriter.text($0).utf8) } ?? [])
        return try await client().send(request, timeout: Self.limit)
    }

    private func client() throws -> HTTPClient {
        if let http { return http }
        let server = access.server
        var trust = access.trust
        if let answer {
            trust.certificateText = answer.certificate ?? trust.certificateText
            trust.keyText = answer.key ?? trust.keyText
        }
        let endpoint: HTTPClient.Endpoint = server.isSecure ? .tls(host: server.host, port: server.port, trust) : .tcp(host: server.host, port: server.port)
        let made = try HTTPClient(endpoint, connectTimeout: .seconds(10), route: access.proxy.map { .by($0) } ?? .byEnvironment)
        http = made
        return made
    }

    private var renewsCredential: Bool {
        if case .exec = access.credential { true } else { false }
    }

    private func authorization() async throws -> String? {
        switch access.credential {
        case nil: return nil
        case .token(let token): return "Bearer \(token)"
        case .tokenFile(let path):
            let token = try Files.readText(path).filter { !$0.isWhitespace }
            if token.isEmpty { throw EscaleError.clusterConfig("there is no token in \(path)") }
            return "Bearer \(token)"
        case .basic(let user, let password): return "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())"
        case .exec(let plugin): return try await answer(of: plugin).token.map { "Bearer \($0)" }
        }
    }

    private func answer(of plugin: ExecPlugin) async throws -> ExecPlugin.Answer {
        if let answer, answer.isGood { return answer }
        if let asking { return try await asking.value }
        let task = Task {
            defer { asking = nil }
            let fresh = try await plugin.ask(environment)
            if fresh.certificate != nil { http = nil }
            answer = fresh
            return fresh
        }
        asking = task
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    // MARK: What the server has

    /// A kind of object that the server has.
    package struct APIResource: Hashable, Sendable {
        /// `v1` or `group/version`.
        package let apiVersion: String
        package let kind: String
        /// In paths, such as `deployments`.
        package let plural: String
        package let isNamespaced: Bool

        func path(namespace: String?, name: String? = nil) -> String {
            let base = apiVersion.contains("/") ? "/apis/\(apiVersion)" : "/api/\(apiVersion)"
            let place = isNamespaced ? namespace.map { "/namespaces/\($0)" } ?? "" : ""
            return "\(base)\(place)/\(plural)" + (name.map { "/\($0)" } ?? "")
        }
    }

    /// The kind in the first of the versions that the server has; `nil` where it has none of them.
    package func resource(_ kind: String, in versions: [String]) async throws -> APIResource? {
        for version in versions {
            if let found = try await resources(of: version).first(where: { $0.kind == kind }) { return found }
        }
        return nil
    }

    private func resources(of version: String) async throws -> [APIResource] {
        if let known = groups[version] { return known }
        let path = version.contains("/") ? "/apis/\(version)" : "/api/\(version)"
        var found: [APIResource] = []
        do {
            let list = try await send(.get, path, to: "ask what \(version) has")
            for item in list["resources"]?.items ?? [] {
                guard let name = item["name"]?.stringValue, !name.contains("/"), let kind = item["kind"]?.stringValue else { continue }
                found.append(
                    APIResource(apiVersion: version, kind: kind, plural: name, isNamespaced: item["namespaced"]?.boolValue ?? true))
            }
        } catch let error as EscaleError where error.code == .clusterNotFound {
            // Every server has this one.
            if version == "v1" { throw EscaleError.foreignServer(access) }
        }
        groups[version] = found
        return found
    }
}
