package import EscaleAPI
import EscaleCompose
package import EscaleCore
import EscaleHTTP

extension DaemonClient {
    /// Makes a container for one command, and doesn't start it.
    package func prepareRun(_ request: RunRequest, progress: ProgressHandler) async throws -> ContainerHandle {
        let name = request.project.name
        let post = try DaemonRequest(.post, "projects/\(name)/run", to: "run \(request.service.name)").with(request)
        return try await result(post, as: ContainerHandle.self, isIdempotent: false, progress: progress)
    }

    /// Makes its processes, so that it can be attached to before its program runs.
    package func makeAttachable(_ name: String) async throws {
        _ = try await value(DaemonRequest(.post, "containers/\(name)/make", to: "make \(name)"), as: Empty.self)
    }

    package func startContainer(_ name: String) async throws {
        _ = try await value(DaemonRequest(.post, "containers/\(name)/start", to: "start \(name)"), as: Empty.self)
    }

    /// All projects' containers, ended ones too.
    package func containers() async throws -> [ContainerSummary] {
        try await value(DaemonRequest(.get, "containers", to: "list containers"))
    }

    /// Docker's inspect object as JSON text.
    package func inspectContainer(_ name: String) async throws -> [UInt8] {
        try await bytes(DaemonRequest(.get, "containers/\(name)", to: "inspect \(name)"))
    }

    /// Does something to one container. Sent again when the daemon is killed meanwhile, signals apart.
    package func perform(_ name: String, _ request: ContainerRequest, progress: ProgressHandler) async throws {
        let post = try DaemonRequest(.post, "containers/\(name)", to: "\(request.action.verb) \(name)").with(request)
        _ = try await result(post, as: Empty.self, isIdempotent: request.action != .kill, progress: progress)
    }

    /// Where the container's standard streams are.
    package func attachPlan(_ name: String) async throws -> AttachPlan {
        try await value(DaemonRequest(.get, "containers/\(name)/attach", to: "attach to \(name)"))
    }

    /// Waits for the container's end, over deaths of the daemon.
    package func awaitEnd(of name: String) async throws -> ContainerEnd {
        let get = DaemonRequest(.get, "containers/\(name)/end", to: "wait for \(name)")
        return try await result(get, as: ContainerEnd.self, isIdempotent: true) { _ in }
    }

    /// Sends a signal to the container's first process.
    package func signal(_ name: String, _ signal: String) async throws {
        let post = DaemonRequest(.post, "containers/\(name)/signal", ["signal": signal], to: "send \(signal) to \(name)")
        _ = try await value(post, as: Empty.self)
    }

    /// What the project's running containers use now; all projects' for `nil`.
    package func samples(of project: ProjectName?) async throws -> [ContainerSample] {
        let query: HTTPQuery = project.map { ["project": $0.rawValue] } ?? [:]
        return try await value(DaemonRequest(.get, "stats", query, to: "measure containers"))
    }

    package func processes(of name: String) async throws -> [ProcessSummary] {
        try await value(DaemonRequest(.get, "containers/\(name)/processes", to: "list the processes of \(name)"))
    }

    package func copy(_ name: String, _ request: CopyRequest) async throws {
        let post = try DaemonRequest(.post, "containers/\(name)/copy", to: "copy files of \(name)").with(request)
        _ = try await value(post, as: Empty.self)
    }

    /// The volumes of the host.
    package func volumes() async throws -> [VolumeSummary] {
        try await value(DaemonRequest(.get, "volumes", to: "list volumes"))
    }

    /// Ends and removes a container that a command was run in.
    package func removeContainer(_ name: String) async throws {
        _ = try await value(DaemonRequest(.delete, "containers/\(name)", to: "remove \(name)"), as: Empty.self)
    }
}
