package import EscaleAPI
import EscaleHTTP

extension DaemonClient {
    package func build(_ request: BuildRequest, progress: ProgressHandler) async throws -> BuildResult {
        let post = try DaemonRequest(.post, "build", to: "build").with(request)
        return try await result(post, as: BuildResult.self, isIdempotent: false, progress: progress)
    }

    /// What gives the caller a shell in what a failed build step left.
    package func debugBuild(_ request: DebugRequest) async throws -> ExecPlan {
        try await value(DaemonRequest(.post, "build/debug", to: "look into the failed step").with(request))
    }

    /// Lets go of what a failed build step left.
    package func endDebugging(_ request: DebugRequest) async throws {
        _ = try await value(
            DaemonRequest(.delete, "build/debug", to: "let go of the failed step").with(request), as: Empty.self)
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

    package func pullImages(_ request: PullRequest, progress: ProgressHandler) async throws -> [TransferredImage] {
        let post = try DaemonRequest(.post, "images/pull", to: "pull \(request.images.joined(separator: ", "))").with(request)
        return try await result(post, as: [TransferredImage].self, isIdempotent: true, progress: progress)
    }

    package func pushImages(_ request: PushRequest, progress: ProgressHandler) async throws -> [TransferredImage] {
        let post = try DaemonRequest(.post, "images/push", to: "push \(request.images.joined(separator: ", "))").with(request)
        return try await result(post, as: [TransferredImage].self, isIdempotent: true, progress: progress)
    }

    package func loadImages(_ request: LoadRequest, progress: ProgressHandler) async throws -> [ImageSummary] {
        let post = try DaemonRequest(.post, "images/load", to: "load \(request.path)").with(request)
        return try await result(post, as: [ImageSummary].self, isIdempotent: false, progress: progress)
    }

    package func saveImages(_ request: SaveRequest, progress: ProgressHandler) async throws {
        let post = try DaemonRequest(.post, "images/save", to: "save \(request.path)").with(request)
        _ = try await result(post, as: Empty.self, isIdempotent: false, progress: progress)
    }

    package func tagImage(_ request: TagRequest) async throws {
        let post = try DaemonRequest(.post, "images/tag", to: "tag \(request.image)").with(request)
        _ = try await value(post, as: Empty.self)
    }

    package func history(of image: String) async throws -> [HistoryEntry] {
        try await value(DaemonRequest(.get, "images/history", ["name": image], to: "read the history of \(image)"))
    }

    /// - Parameter all: also images with names that no container was made from.
    package func pruneImages(all: Bool) async throws -> PruneResult {
        try await value(DaemonRequest(.post, "images/prune", ["all": all ? "1" : "0"], to: "remove unused images"))
    }

    package func checkStore(repairing: Bool, progress: ProgressHandler) async throws -> StoreCheck {
        let post = DaemonRequest(.post, "images/check", ["repair": repairing ? "1" : "0"], to: "check the image store")
        return try await result(post, as: StoreCheck.self, isIdempotent: true, progress: progress)
    }

    package func diskUsage() async throws -> DiskUsage {
        try await value(DaemonRequest(.get, "system/df", to: "measure the disk"))
    }

    // MARK: Registries

    /// - Throws: `registry.denied` where the registry doesn't let the user in.
    package func logIn(_ request: LoginRequest) async throws {
        _ = try await value(
            DaemonRequest(.post, "registries/login", to: "log in at \(request.host)").with(request), as: Empty.self)
    }

    /// Starts the registry of this host for good.
    package func startRegistry(_ settings: RegistrySettings) async throws -> RegistryStatus {
        try await value(DaemonRequest(.post, "registry/serve", to: "start the registry").with(settings))
    }

    /// Runs the registry until the task is cancelled.
    package func serveRegistry(_ settings: RegistrySettings, progress: ProgressHandler) async throws {
        let post = try DaemonRequest(.post, "registry/serve", to: "serve the registry").with(settings)
        _ = try await result(post, as: RegistryStatus.self, isIdempotent: false, progress: progress)
    }

    /// `false` where none served.
    package func stopRegistry() async throws -> Bool {
        try await value(DaemonRequest(.post, "registry/stop", to: "stop the registry"))
    }

    package func registry() async throws -> RegistryStatus? {
        try await value(DaemonRequest(.get, "registry", to: "look at the registry"), as: [RegistryStatus].self).first
    }
}
