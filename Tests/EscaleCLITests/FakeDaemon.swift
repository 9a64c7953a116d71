import EscaleAPI
import EscaleCLI
import EscaleCore
import EscaleHTTP
import EscaleSystem
import FoundationEssentials
import Glibc
import Synchronization

/// A real HTTP server on a root's socket, with answers that the test gives.
final class FakeDaemon: Sendable {
    typealias Route = @Sendable (HTTPRequest) async -> HTTPResponse

    let root: EscaleRoot
    /// `POST /v1/projects/shop/up`, in the order they came.
    private let log = Mutex<[HTTPRequest]>([])

    private init(root: EscaleRoot) { self.root = root }

    var requests: [String] { log.withLock { $0.map { "\($0.method) \($0.path)" } } }
    func bodies(of path: String) -> [[UInt8]] { log.withLock { $0.filter { $0.path == path }.map(\.body) } }
    func queries(of path: String) -> [HTTPQuery] {
        log.withLock { $0.filter { $0.path == path }.map(\.query) }
    }

    /// Serves the routes while the body runs.
    static func serving<Value>(
        _ routes: [String: Route],
        at root: EscaleRoot,
        _ body: (FakeDaemon) async throws -> Value
    ) async throws -> Value {
        try Files.createDirectories(root.runtime)
        let daemon = FakeDaemon(root: root)
        let server = HTTPServer(address: .unix(path: root.socket)) { request in
            daemon.log.withLock { $0.append(request) }
            guard let route = routes["\(request.method) \(request.path)"] else {
                return .failure(EscaleError(.init("api.no-route"), "no \(request.method) \(request.path)"))
            }
            return await route(request)
        }
        try server.start()
        do {
            let value = try await body(daemon)
            await server.stop(grace: .zero)
            return value
        } catch {
            await server.stop(grace: .zero)
            throw error
        }
    }

    /// In a directory of its own.
    static func serving<Value>(
        _ routes: [String: Route],
        _ body: (FakeDaemon) async throws -> Value
    ) async throws -> Value {
        try await Scratch.with { try await serving(routes, at: EscaleRoot(directory: $0), body) }
    }
}

extension HTTPResponse {
    private static let headers: HTTPHeaders = ["X-Escale-Api": "\(Routes.version)"]

    static func value(_ value: some Encodable) -> HTTPResponse {
        HTTPResponse(.ok, headers: headers, body: json(value))
    }

    static func failure(_ error: EscaleError) -> HTTPResponse {
        HTTPResponse(.badRequest, headers: headers, body: json(error))
    }

    static func lines(_ values: [any Encodable & Sendable]) -> HTTPResponse {
        .stream(headers: headers) { writer in
            for value in values { try await writer.write(json(value) + [10]) }
        }
    }

    /// Some lines, then whatever the body does with the connection.
    static func lines(
        _ values: [any Encodable & Sendable],
        then: @escaping @Sendable () async throws -> Void
    ) -> HTTPResponse {
        .stream(headers: headers) { writer in
            for value in values { try await writer.write(json(value) + [10]) }
            try await then()
        }
    }

    static func json(_ value: any Encodable) -> [UInt8] {
        do { return Array(try JSONEncoder().encode(value)) } catch { return Array("\(error)".utf8) }
    }
}

/// What breaks a connection off.
struct Cut: Error {}

/// A directory that is gone after the test.
enum Scratch {
    static func with<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let path = "/tmp/escale-cli-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Files.createDirectories(path)
        do {
            let value = try await body(path)
            try Files.remove(path)
            return value
        } catch {
            try Files.remove(path)
            throw error
        }
    }
}
