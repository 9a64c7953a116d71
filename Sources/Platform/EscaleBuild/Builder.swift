package import EscaleCore
import EscaleDockerfile
package import EscaleImages
import EscaleOCI
import EscaleSystem
import Synchronization

/// Builds images from Dockerfiles.
///
/// Stages that the target doesn't need never run; the others run side by side as far as they can. A step that was
/// done before on the same files with the same inputs is not done again. All builds may share one builder.
package final class Builder: Sendable {
    let store: ImageStore
    let runner: any BuildRunner
    private let defaultImages: BaseImages
    let fileDigests = FileDigestCache()
    let caches: CacheMounts
    package let failures: FailedSteps

    package init(store: ImageStore, runner: any BuildRunner) {
        self.store = store
        self.runner = runner
        defaultImages = BaseImages(store: store)
        caches = CacheMounts(directory: store.root + "/cache-mounts")
        failures = FailedSteps(store: store)
    }

    /// Builds the image and gives it its names.
    ///
    /// - Parameters:
    ///   - images: finds what stages begin with; `nil` for what is in the store.
    ///   - inlineCache: whether the image tells what its steps came to, for a build elsewhere.
    ///   - events: sees what happens. Lines of a step come in order.
    /// - Returns: the image, and what its steps came to, for ``cacheImage(_:_:)``.
    /// - Throws: `build.*` with the place in the Dockerfile; `CancellationError` or `interrupted`, with nothing left
    ///   but finished steps in the cache.
    @discardableResult
    package func build(
        _ request: BuildRequest,
        images: BaseImages? = nil,
        inlineCache: Bool = false,
        events: @escaping @Sendable (BuildEvent) async -> Void = { _ in }
    ) async throws -> (image: StoredImage, records: [Digest: CacheRecord]) {
        let clock = ContinuousClock()
        let start = clock.now
        let lease = store.lease()
        defer { withExtendedLifetime(lease) {} }
        let source = try await read(request)
        let dockerfile = source.dockerfile
        guard !source.diagnostics.hasErrors else {
            throw EscaleError.dockerfile(dockerfile.file, source.diagnostics)
        }
        for warning in source.diagnostics { await events(.warning(warning)) }
        let arguments = try BuildArguments(request.arguments, dockerfile, platform: request.platform)
        for name in arguments.unused(in: dockerfile) {
            await events(
                .warning(
                    Diagnostic(
                        .warning,
                        .init("build.argument"),
                        "the build argument \(name) is not used: no ARG asks for it",
                        at: nil
                    )
                )
            )
        }
        let graph = try BuildGraph(
            dockerfile, target: request.target, arguments: arguments.global, contexts: request.contexts)
        let job = BuildJob(
            builder: self, request: request, images: images ?? defaultImages, arguments: arguments, escape: dockerfile.escape,
            lines: source.lines, report: events)
        let state = try await job.run(graph)
        var config = state.config
        config.created = state.created
        config.config.labels.merge(request.labels) { $1 }
        let records = job.records.withLock { $0 }
        if inlineCache || arguments.isInlineCache {
            config.config.labels[CacheLabel.name] = try CacheLabel(records, within: state.layers).text()
        }
        let image = try await store.createImage(config, layers: state.layers, references: request.references)
        await events(.finished(image: image.id, seconds: (clock.now - start).seconds))
        return (image, records)
    }

    /// Runs the build checks and nothing else.
    ///
    /// - Returns: errors of the Dockerfile and what the checks found, by position.
    package func check(_ request: BuildRequest) async throws -> [Diagnostic] { try await read(request).diagnostics }

    private struct Source: Sendable {
        let dockerfile: Dockerfile
        let diagnostics: [Diagnostic]
        let lines: [Substring]
    }

    private func read(_ request: BuildRequest) async throws -> Source {
        try await blocking {
            guard Files.isDirectory(request.contextDirectory) else {
                throw EscaleError.contextMissing(request.contextDirectory)
            }
            let (text, name) = try Self.dockerfile(of: request)
            let (dockerfile, diagnostics) = parseDockerfile(text, file: name)
            let found = checkDockerfile(
                dockerfile, text: text, target: request.target, arguments: request.arguments,
                ignore: try request.ignore())
            return Source(dockerfile: dockerfile, diagnostics: (diagnostics + found).sortedByPosition(),
                lines: text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" })
        }
    }

    private static func dockerfile(of request: BuildRequest) throws -> (text: String, name: String) {
        if let text = request.inlineDockerfile { return (text, "Dockerfile") }
        let path = request.dockerfilePath ?? request.contextDirectory + "/Dockerfile"
        guard Files.exists(path), !Files.isDirectory(path) else { throw EscaleError.dockerfileMissing(path) }
        let prefix = request.contextDirectory + "/"
        return (try Files.readText(path), path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path)
    }
}
