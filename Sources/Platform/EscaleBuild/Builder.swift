import EscaleCore
import EscaleDockerfile
package import EscaleImages
import EscaleOCI
import EscaleSystem

/// Builds images from Dockerfiles.
///
/// Stages that the target doesn't need never run; the others run side by side as far as they can. A step that was
/// done before on the same files with the same inputs is not done again. All builds may share one builder.
package final class Builder: Sendable {
    private let store: ImageStore
    private let runner: any BuildRunner
    private let fileDigests = FileDigestCache()

    package init(store: ImageStore, runner: any BuildRunner) {
        self.store = store
        self.runner = runner
    }

    /// Builds the image and gives it its names.
    ///
    /// - Parameter events: sees what happens. Lines of a step come in order.
    /// - Throws: `build.*` with the place in the Dockerfile; `CancellationError` or `interrupted`, with nothing left
    ///   but finished steps in the cache.
    package func build(
        _ request: BuildRequest,
        events: @escaping @Sendable (BuildEvent) async -> Void = { _ in }
    ) async throws -> StoredImage {
        let clock = ContinuousClock()
        let start = clock.now
        let lease = store.lease()
        defer { withExtendedLifetime(lease) {} }
        let (dockerfile, diagnostics) = try await read(request)
        guard !diagnostics.hasErrors else { throw EscaleError.dockerfile(dockerfile.file, diagnostics) }
        for warning in diagnostics { await events(.warning(warning)) }
        let arguments = try BuildArguments(request.arguments, dockerfile)
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
        let graph = try BuildGraph(dockerfile, target: request.target, arguments: arguments.global)
        let job = BuildJob(
            request: request,
            store: store,
            runner: runner,
            arguments: arguments,
            escape: dockerfile.escape,
            fileDigests: fileDigests,
            report: events
        )
        let state = try await job.run(graph)
        var config = state.config
        config.created = state.created
        let image = try await store.createImage(config, layers: state.layers, references: request.references)
        await events(.finished(image: image.id, seconds: (clock.now - start).seconds))
        return image
    }

    private func read(_ request: BuildRequest) async throws -> (Dockerfile, [Diagnostic]) {
        try await blocking {
            guard Files.isDirectory(request.contextDirectory) else {
                throw EscaleError.contextMissing(request.contextDirectory)
            }
            if let text = request.inlineDockerfile { return parseDockerfile(text, file: "Dockerfile") }
            let path = request.dockerfilePath ?? request.contextDirectory + "/Dockerfile"
            guard Files.exists(path), !Files.isDirectory(path) else {
                throw EscaleError.dockerfileMissing(path)
            }
            let prefix = request.contextDirectory + "/"
            let name = path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
            return parseDockerfile(try Files.readText(path), file: name)
        }
    }
}
