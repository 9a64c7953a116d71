package import EscaleAPI
import EscaleCompose
package import EscaleCore
import EscaleHTTP

/// Which lines of a project's output to read.
package struct LogQuery: Sendable {
    /// Of these services; of all if empty.
    package var services: [ServiceName]
    package var follow: Bool
    /// The last so many lines of each container; all if `nil`.
    package var tail: Int?
    package var since: Timestamp?
    package var until: Timestamp?
    /// Only of the replica with this number.
    package var index: Int?

    package init(
        services: [ServiceName] = [],
        follow: Bool = false,
        tail: Int? = nil,
        since: Timestamp? = nil,
        until: Timestamp? = nil,
        index: Int? = nil
    ) {
        self.until = until
        self.index = index
        self.services = services
        self.follow = follow
        self.tail = tail
        self.since = since
    }
}

extension DaemonClient {
    package func projects() async throws -> [ProjectSummary] {
        try await value(DaemonRequest(.get, "projects", to: "list projects"))
    }

    /// Makes the project as its file says. Sent again when the daemon is killed meanwhile.
    package func up(_ request: UpRequest, progress: ProgressHandler) async throws -> UpResult {
        let name = request.project.name
        let post = try DaemonRequest(.post, "projects/\(name)/up", to: "bring \(name) up").with(request)
        return try await result(post, as: UpResult.self, isIdempotent: true, progress: progress)
    }

    /// Takes the project away. Sent again when the daemon is killed meanwhile.
    package func down(_ name: ProjectName, _ request: DownRequest, progress: ProgressHandler) async throws {
        let post = try DaemonRequest(.post, "projects/\(name)/down", to: "take \(name) down").with(request)
        _ = try await result(post, as: Empty.self, isIdempotent: true, progress: progress)
    }

    /// Does something to some of the project's services. Sent again when the daemon is killed meanwhile, signals apart.
    package func perform(
        _ name: ProjectName,
        _ request: ServicesRequest,
        progress: ProgressHandler
    ) async throws -> ServicesResult {
        let what = request.services.isEmpty ? "\(name)" : request.services.map(\.rawValue).joined(separator: ", ")
        let post = try DaemonRequest(.post, "projects/\(name)/services", to: "\(request.action) \(what)").with(request)
        return try await result(
            post, as: ServicesResult.self, isIdempotent: request.action != .kill, progress: progress)
    }

    /// The project's containers, ended ones too.
    package func containers(of name: ProjectName) async throws -> [ContainerSummary] {
        try await value(
            DaemonRequest(.get, "projects/\(name)/containers", to: "list the containers of \(name)")
        )
    }

    /// Gives the handler each line of output; with `follow` until the task is cancelled or nothing can come any more.
    package func logs(of name: ProjectName, _ query: LogQuery, _ onRecord: (LogRecord) throws -> Void)
        async throws
    {
        var parameters = HTTPQuery()
        for service in query.services { parameters.add("service", service.rawValue) }
        if query.follow { parameters.add("follow", "1") }
        if let tail = query.tail { parameters.add("tail", String(tail)) }
        if let since = query.since { parameters.add("since", since.description) }
        if let until = query.until { parameters.add("until", until.description) }
        if let index = query.index { parameters.add("index", String(index)) }
        let request = DaemonRequest(.get, "projects/\(name)/logs", parameters, to: "read the logs of \(name)")
        try await lines(request, as: LogRecord.self, onRecord)
    }

    /// Gives the handler each event; with `follow` until the task is cancelled.
    package func events(
        of name: ProjectName,
        follow: Bool,
        since: Timestamp?,
        _ onEvent: (Event) throws -> Void
    ) async throws {
        var parameters: HTTPQuery = follow ? ["follow": "1"] : [:]
        if let since { parameters.add("since", since.description) }
        let request = DaemonRequest(
            .get,
            "projects/\(name)/events",
            parameters,
            to: "read the events of \(name)"
        )
        try await lines(request, as: Event.self, onEvent)
    }

    /// What to run to be inside a container.
    package func exec(_ name: ProjectName, _ request: ExecRequest) async throws -> ExecPlan {
        let post = DaemonRequest(.post, "projects/\(name)/exec", to: "enter \(request.service)")
        return try await value(try post.with(request))
    }
}
