import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleSupervisor

/// Releases: looking at them, following one, telling the one that runs.
extension API {
    /// - Parameter path: what follows `/v1/projects/NAME/releases/`.
    func release(_ project: ProjectName, _ path: [String], _ request: HTTPRequest) async throws -> HTTPResponse {
        switch (request.method, path.count) {
        case (.get, 1) where path[0] == "diff":
            return try json(
                try await supervisor.difference(
                    project, from: try number(request.query["from"]), to: try number(request.query["to"])))
        case (.get, 1): return try json(try await supervisor.release(try chosen(path[0]), of: project))
        case (.get, 2) where path[1] == "watch":
            let details = try await supervisor.watch(try chosen(path[0]), of: project)
            return .stream(headers: Self.headers("application/x-ndjson")) { writer in
                for await detail in details { try await writer.write(line: detail) }
            }
        case (.post, 1) where path[0] == "latest":
            return try json(try await supervisor.command(project, try decode(request)))
        default: throw Self.noSuchRoute(request)
        }
    }

    private func chosen(_ text: String) throws(EscaleError) -> Int? {
        text == "latest" ? nil : try number(text)
    }

    private func number(_ text: String?) throws(EscaleError) -> Int? {
        guard let text else { return nil }
        guard let number = Int(text), number > 0 else {
            throw EscaleError(
                .invalidInput, "\"\(text)\" is not the number of a release", hint: "see them: `escale release ls`")
        }
        return number
    }
}
