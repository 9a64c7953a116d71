package import EscaleAPI
import EscaleHTTP

extension DaemonClient {
    package func build(_ request: BuildRequest, progress: ProgressHandler) async throws -> BuildResult {
        let post = try DaemonRequest(.post, "build", to: "build").with(request)
        return try await result(post, as: BuildResult.self, isIdempotent: false, progress: progress)
    }

    package func images() async throws -> [ImageSummary] {
        try await value(DaemonRequest(.get, "images", to: "list images"))
    }

    /// Docker's inspect object as JSON text.
    package func inspectImage(_ name: String) async throws -> [UInt8] {
        try await bytes(DaemonRequest(.get, "images/inspect", ["name": name], to: "inspect \(name)"))
    }

    /// - Parameter force: also where containers use it.
    package func removeImage(_ name: String, force: Bool) async throws -> ImageRemoval {
        var query: HTTPQuery = ["name": name]
        if force { query.add("force", "1") }
        return try await value(DaemonRequest(.delete, "images", query, to: "remove \(name)"))
    }

    package func importImage(_ request: ImportRequest, progress: ProgressHandler) async throws -> ImageSummary
    {
        let post = try DaemonRequest(.post, "images/import", to: "import \(request.path)").with(request)
        return try await result(post, as: ImageSummary.self, isIdempotent: false, progress: progress)
    }

    package func bootstrapImage(_ request: BootstrapRequest, progress: ProgressHandler) async throws
        -> ImageSummary
    {
        let post = try DaemonRequest(.post, "images/bootstrap", to: "make \(request.name)").with(request)
        return try await result(post, as: ImageSummary.self, isIdempotent: false, progress: progress)
    }
}
