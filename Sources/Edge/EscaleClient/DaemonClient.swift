package import EscaleAPI
package import EscaleCore
import EscaleHTTP
package import EscaleSystem
import FoundationEssentials
import Glibc

/// Sees what happens while a request runs; called in order.
package typealias ProgressHandler = @Sendable (ProgressEvent) -> Void

/// The daemon of one root, asked over its Unix socket. The first request starts it where it isn't running.
///
/// What the daemon refuses arrives as the ``EscaleError`` that it sent.
package struct DaemonClient: Sendable {
    package let root: EscaleRoot
    private let launcher: DaemonLauncher
    private let http: HTTPClient

    /// How often an interrupted idempotent request is sent again.
    static let retries = 3

    /// - Throws: `client.not-root` for anybody but root, whose sockets and processes these are.
    package init(root: EscaleRoot, environment: [String: String] = [:]) throws(EscaleError) {
        guard geteuid() == 0 else { throw EscaleError.needsRoot }
        try self.init(root: root, launcher: DaemonLauncher(root: root, environment: environment))
    }

    package init(root: EscaleRoot, launcher: DaemonLauncher) throws(EscaleError) {
        self.root = root
        self.launcher = launcher
        http = try HTTPClient(.unix(path: root.socket))
    }

    /// Whether a daemon runs; starts none.
    package func isRunning() throws(EscaleError) -> Bool { try DaemonSocket.answers(root.socket) }

    /// The answer's body, whole. A question is asked again, of a new daemon, when the connection breaks.
    func bytes(_ request: DaemonRequest) async throws -> [UInt8] {
        var attempt = 0
        while true {
            do {
                let body = try await open(request)
                return try await reading(request) { try await Self.collect(body) }
            } catch let error as EscaleError
                where error.code == .daemonLost && request.http.method == .get && attempt < Self.retries
            {
                attempt += 1
                try await Task.sleep(for: .milliseconds(50 * attempt))
            }
        }
    }

    /// The answer's body as a value.
    func value<Value: Decodable>(_ request: DaemonRequest, as type: Value.Type = Value.self) async throws
        -> Value
    {
        try Self.decode(try await bytes(request), request)
    }

    /// The lines of the answer as values, each given to the handler as it comes, until the answer ends.
    func lines<Line: Decodable>(
        _ request: DaemonRequest,
        as type: Line.Type,
        _ onLine: (Line) throws -> Void
    ) async throws {
        var lines = try await open(request).lines().makeAsyncIterator()
        while let line = try await reading(request, { try await lines.next() }) {
            try onLine(try Self.decode(line, request))
        }
    }

    /// The result of work that reports progress.
    ///
    /// - Parameter isIdempotent: whether the request is sent again, to a new daemon, when the connection breaks.
    func result<Result: Codable & Sendable>(
        _ request: DaemonRequest,
        as type: Result.Type,
        isIdempotent: Bool,
        progress: ProgressHandler
    ) async throws -> Result {
        var attempt = 0
        while true {
            do {
                return try await oneResult(request, as: type, progress: progress)
            } catch let error as EscaleError
                where error.code == .daemonLost && isIdempotent && attempt < Self.retries
            {
                attempt += 1
                progress(
                    ProgressEvent("Daemon", .warning, "Restarting", reason: "the connection broke", at: .now)
                )
                try await Task.sleep(for: .milliseconds(50 * attempt))
            }
        }
    }

    private func oneResult<Result: Codable & Sendable>(
        _ request: DaemonRequest,
        as type: Result.Type,
        progress: ProgressHandler
    ) async throws -> Result {
        var answer: Result?
        var refusal: EscaleError?
        try await lines(request, as: StreamLine<Result>.self) { line in
            if let event = line.progress { progress(event) }
            answer = line.result ?? answer
            refusal = line.error ?? refusal
        }
        if let refusal { throw refusal }
        guard let answer else {
            throw EscaleError.daemonLost(request.action, "the answer ended without a result")
        }
        return answer
    }

    /// Sends the request, to a daemon that is started where none runs, and checks who answers and what.
    ///
    /// - Returns: the body of an answer that is no failure.
    private func open(_ request: DaemonRequest) async throws -> HTTPBodyStream {
        try await launcher.ensureRunning()
        let response = try await reading(request) { try await http.stream(request.http) }
        let version = response.headers[DaemonRequest.versionHeader]
        if !request.anyVersion && version != String(Routes.version) {
            throw EscaleError.otherVersion(version, client: Routes.version)
        }
        if response.status.isSuccess { return response.body }
        let failure = try await reading(request) { try await Self.collect(response.body) }
        throw try Self.decode(failure, request, as: EscaleError.self)
    }

    /// Turns what HTTP says about a connection that broke into what it means here.
    private func reading<Value>(_ request: DaemonRequest, _ body: () async throws -> Value) async throws
        -> Value
    {
        do {
            return try await body()
        } catch let error as EscaleError where Self.brokenConnection.contains(error.code) {
            throw EscaleError.daemonLost(request.action, error.message)
        }
    }

    private static let brokenConnection: Set<EscaleError.Code> = [
        .httpInterrupted, .httpUnreachable, .httpConnectFailed, .httpFailed,
    ]

    private static func collect(_ body: HTTPBodyStream) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await piece in body { bytes += piece }
        return bytes
    }

    private static func decode<Value: Decodable>(
        _ bytes: [UInt8],
        _ request: DaemonRequest,
        as type: Value.Type = Value.self
    ) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            let start = String(decoding: bytes.prefix(200), as: UTF8.self)
            throw EscaleError.badAnswer(request.action, bytes.isEmpty ? "it is empty" : start)
        }
    }
}
