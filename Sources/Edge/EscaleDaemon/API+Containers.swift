import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleHTTP
import EscaleSupervisor

/// Single containers, called by id or name.
extension API {
    func container(_ name: String, _ verb: String, _ request: HTTPRequest) async throws -> HTTPResponse {
        switch (request.method, verb) {
        case (.get, ""):
            return HTTPResponse(.ok, headers: Self.headers("application/json"), body: try await supervisor.inspect(name))
        case (.post, ""):
            let body: ContainerRequest = try decode(request)
            return lines { progress in
                try await supervisor.perform(name, body, observer: progress)
                return Empty()
            }
        case (.post, "start"):
            try await supervisor.startContainer(name)
            return try json(Empty())
        case (.post, "make"):
            try await supervisor.makeAttachable(name)
            return try json(Empty())
        case (.post, "signal"):
            try await supervisor.signal(name, request.query["signal"] ?? "KILL")
            return try json(Empty())
        case (.get, "attach"): return try json(try await supervisor.attachPlan(name))
        case (.get, "end"): return lines { _ in try await supervisor.awaitEnd(of: name) }
        case (.get, "processes"): return try json(try await supervisor.processes(of: name))
        case (.post, "copy"):
            try await supervisor.copy(name, try decode(request))
            return try json(Empty())
        case (.delete, ""):
            try await supervisor.endOneOff(name)
            return try json(Empty())
        default: throw Self.noSuchRoute(request)
        }
    }

    /// Makes a container for one command, with the images that it takes.
    func run(_ request: HTTPRequest) throws -> HTTPResponse {
        let body: RunRequest = try decode(request)
        return lines { progress in
            var needed = UpRequest(project: body.project, services: [body.service.name], build: body.build)
            needed.pull = body.pull
            needed.credentials = body.credentials
            needed.withoutDependencies = body.withoutDependencies
            try await makeImages(needed, progress)
            return try await supervisor.prepareRun(body, observer: progress)
        }
    }
}
