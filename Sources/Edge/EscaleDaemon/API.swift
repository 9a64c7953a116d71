import EscaleAPI
import EscaleBuild
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleHTTP
import EscaleImages
import EscaleRegistry
import EscaleSupervisor
import EscaleSystem
import FoundationEssentials
import Glibc
import Synchronization

/// The daemon's API: finds the handler of a request, and turns what it gives or throws into an answer.
struct API: Sendable {
    final class Shells: Sendable {
        private let containers = Mutex<[String: ContainerID]>([:])

        func withLock<Value: Sendable>(_ body: (inout sending [String: ContainerID]) -> sending Value) -> Value {
            containers.withLock(body)
        }
    }

    let supervisor: Supervisor
    let platform: Platform
    let builder: Builder
    let registries: Registries
    let registry: RegistryServer
    /// The containers that show what failed build steps left.
    let shells = Shells()
    let root: EscaleRoot
    let pool: String
    let startedAt: Timestamp
    let ending: EndSignals

    static let versionHeader = "X-Escale-Api"
    private static let processHeader = "X-Escale-Process"

    @Sendable func answer(_ request: HTTPRequest) async -> HTTPResponse {
        do {
            if let version = request.headers[Self.versionHeader], version != "\(Routes.version)" {
                throw EscaleError(
                    .init("api.version"), "escale and escaled are of different versions (API \(version) and \(Routes.version))",
                    hint: "`escale system stop`, then try again: containers go on running")
            }
            return try await CommandOrigin.$current.withValue(request.headers[Self.processHeader]) {
                try await route(request)
            }
        } catch {
            return Self.failure(EscaleError(wrapping: error))
        }
    }

    private func route(_ request: HTTPRequest) async throws -> HTTPResponse {
        let path = request.segments
        switch (request.method, path.count) {
        case (.get, 2) where path == ["v1", "version"]: return try json(version)
        case (.get, 2) where path == ["v1", "metrics"]:
            let text = try await supervisor.metrics()
            return HTTPResponse(.ok, headers: Self.headers("text/plain; version=0.0.4"), body: Array(text.utf8))
        case (.get, 2) where path == ["v1", "system"]: return try json(try await systemInfo())
        case (.post, 3) where path == ["v1", "system", "stop"]:
            ending.request()
            return try json(Empty())
        case (.post, 3) where path == ["v1", "system", "reset"]: return reset()
        case (.post, 3) where path == ["v1", "system", "prune"]:
            return pruneSystem(all: request.query["all"] == "1", volumes: request.query["volumes"] == "1")
        case (.get, 2) where path == ["v1", "projects"]: return try json(await supervisor.summaries())
        case (_, 4) where path.starts(with: ["v1", "projects"]):
            return try await project(try projectName(path[2]), path[3], request)
        case (_, 5...6) where path.starts(with: ["v1", "projects"]) && path[3] == "releases":
            return try await release(try ProjectName(validating: path[2]), Array(path.dropFirst(4)), request)
        case (.post, 2) where path == ["v1", "build"]: return try build(request)
        case (.post, 3) where path == ["v1", "build", "debug"]: return try json(try await debug(try decode(request)))
        case (.delete, 3) where path == ["v1", "build", "debug"]: return try json(try await endDebug(try decode(request)))
        case (.get, 3) where path == ["v1", "system", "df"]: return try json(try await diskUsage())
        case (.post, 3) where path == ["v1", "registries", "login"]: return try await logIn(try decode(request))
        case (_, 2...3) where path.starts(with: ["v1", "registry"]):
            return try await registry(path.count == 3 ? path[2] : "", request)
        case (.get, 2) where path == ["v1", "stats"]:
            let project = try request.query["project"].map { try ProjectName(validating: $0) }
            return try json(try await supervisor.samples(of: project))
        case (.get, 2) where path == ["v1", "volumes"]: return try json(try await supervisor.volumes())
        case (.get, 2) where path == ["v1", "containers"]: return try json(await supervisor.containers())
        case (_, 3...4) where path.starts(with: ["v1", "containers"]):
            return try await container(path[2], path.count == 4 ? path[3] : "", request)
        case (_, 2...3) where path.starts(with: ["v1", "images"]):
            return try await image(path.count == 3 ? path[2] : "", request)
        default: throw Self.noSuchRoute(request)
        }
    }

    private func projectName(_ text: String) throws(EscaleError) -> ProjectName {
        text == ProjectName.own.rawValue ? .own : try ProjectName(validating: text)
    }

    private func project(_ name: ProjectName, _ verb: String, _ request: HTTPRequest) async throws -> HTTPResponse {
        switch (request.method, verb) {
        case (.post, "up"): return try up(request)
        case (.post, "down"):
            let body: DownRequest = try decode(request)
            return lines { progress in
                try await supervisor.down(name, body, observer: progress)
                return Empty()
            }
        case (.post, "services"):
            let body: ServicesRequest = try decode(request)
            return lines { progress in try await supervisor.perform(name, body, observer: progress) }
        case (.post, "run"): return try run(request)
        case (.get, "releases"): return try json(try await supervisor.releases(of: name))
        case (.post, "rollback"):
            let body: RollbackRequest = try decode(request)
            return lines { progress in try await supervisor.rollback(name, body, observer: progress) }
        case (.get, "containers"): return try json(await supervisor.containers(of: name))
        case (.get, "logs"): return try await logs(name, request)
        case (.get, "events"): return try await events(name, request)
        case (.post, "exec"): return try json(try await supervisor.exec(name, try decode(request)))
        default: throw Self.noSuchRoute(request)
        }
    }

    // MARK: The daemon itself

    private var version: VersionInfo {
        VersionInfo(version: Version.current, api: Routes.version, pid: getpid(), startedAt: startedAt)
    }

    private func systemInfo() async throws -> SystemInfo {
        let projects = await supervisor.summaries()
        var name = utsname()
        uname(&name)
        let release = withUnsafePointer(to: &name.release) {
            $0.withMemoryRebound(to: CChar.self, capacity: 65) { String(cString: $0) }
        }
        let engine = platform.engine
        return SystemInfo(
            version: Version.current, stateDirectory: root.state, runtimeDirectory: root.runtime,
            ociRuntime: engine.facts.runtime, cgroups: engine.facts.cgroups.rawValue, addressPool: pool,
            projects: projects.count, containers: projects.reduce(0) { $0 + $1.containers },
            running: projects.reduce(0) { $0 + $1.running }, images: platform.images.list().count, kernel: release)
    }

    private func reset() -> HTTPResponse {
        lines { progress in
            try await supervisor.reset(observer: progress)
            ending.request(erasing: true)
            return Empty()
        }
    }
}

// MARK: Answers

extension API {
    func json(_ value: some Encodable, status: HTTPStatus = .ok) throws -> HTTPResponse {
        HTTPResponse(status, headers: Self.headers("application/json"), body: Array(try JSONEncoder().encode(value)))
    }

    func decode<Body: Decodable>(_ request: HTTPRequest) throws -> Body {
        do {
            return try JSONDecoder().decode(Body.self, from: Data(request.body))
        } catch {
            throw EscaleError(.invalidInput, "the request's body is not what \(request.path) takes: \(error)")
        }
    }

    /// Work that takes long: its progress as JSON lines, then its result or its error.
    func lines<Result: Codable & Sendable>(
        _ work: @escaping @Sendable (@escaping @Sendable (ProgressEvent) -> Void) async throws -> Result
    ) -> HTTPResponse {
        let origin = CommandOrigin.current
        return .stream(headers: Self.headers("application/x-ndjson")) { writer in
            let (events, sink) = AsyncStream.makeStream(of: ProgressEvent.self)
            let outcome = Task {
                defer { sink.finish() }
                do {
                    let result = try await CommandOrigin.$current.withValue(origin) { try await work { sink.yield($0) } }
                    return StreamLine<Result>.result(result)
                } catch {
                    return .failure(EscaleError(wrapping: error))
                }
            }
            try await withTaskCancellationHandler {
                for await event in events { try await writer.write(line: StreamLine<Result>.progress(event)) }
                try await writer.write(line: await outcome.value)
            } onCancel: {
                outcome.cancel()
            }
        }
    }

    static func headers(_ type: String) -> HTTPHeaders {
        ["Content-Type": type, versionHeader: "\(Routes.version)"]
    }

    private static func failure(_ error: EscaleError) -> HTTPResponse {
        let status: HTTPStatus =
            switch error.code.rawValue {
            case "container.unknown", "api.no-route", "image.not-found", "service.unknown", "project.unknown", "release.not-found": .notFound
            case "api.version", "image.in-use", "container.not-running": .conflict
            case "internal": .internalServerError
            default: .badRequest
            }
        // An error is strings only: encoding it can't fail.
        let body = (try? JSONEncoder().encode(error)).map(Array.init) ?? []
        return HTTPResponse(status, headers: headers("application/json"), body: body)
    }

    static func noSuchRoute(_ request: HTTPRequest) -> EscaleError {
        EscaleError(
            .init("api.no-route"), "the daemon has no \(request.method) \(request.path)",
            hint: "escale and escaled may be of different versions: `escale version`")
    }
}

extension HTTPBodyWriter {
    func write(line value: some Encodable) async throws {
        try await write(Array(try JSONEncoder().encode(value)) + [UInt8(ascii: "\n")])
    }

    func write(lines values: [some Encodable]) async throws {
        let encoder = JSONEncoder()
        var bytes: [UInt8] = []
        for value in values {
            bytes += try encoder.encode(value)
            bytes.append(UInt8(ascii: "\n"))
        }
        try await write(bytes)
    }
}
