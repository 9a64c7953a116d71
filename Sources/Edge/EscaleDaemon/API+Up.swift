import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleSupervisor

/// `up`: the images first, then the containers.
extension API {
    func up(_ request: HTTPRequest) throws -> HTTPResponse {
        let body: UpRequest = try decode(request)
        return lines { progress in
            try await makeImages(body, progress)
            return try await supervisor.up(body, observer: progress)
        }
    }

    func build(_ request: HTTPRequest) throws -> HTTPResponse {
        let body: BuildRequest = try decode(request)
        return lines { progress in try await build(body, progress) }
    }
    private func makeImages(_ request: UpRequest, _ progress: @escaping @Sendable (ProgressEvent) -> Void) async throws {}
    func build(_ request: BuildRequest, _ progress: @escaping @Sendable (ProgressEvent) -> Void) async throws -> BuildResult { throw EscaleError(.internalFault, "todo") }
    func bootstrap(_ request: BootstrapRequest) throws -> HTTPResponse { throw EscaleError(.internalFault, "todo") }
}
