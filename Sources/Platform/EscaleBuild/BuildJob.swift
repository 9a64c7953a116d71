import EscaleCore
import EscaleDockerfile
package import EscaleImages
import EscaleOCI
import EscaleSystem
import Synchronization

/// What a `COPY` or a mount reads from.
enum BuildSource: Sendable {
    /// The build context.
    case context
    case directory(String, name: String)
    /// Another stage, or an image.
    case stage(StageState)
}

/// One run of a build: what all of its stages share.
final class BuildJob: Sendable {
    let request: BuildRequest
    let store: ImageStore
    let runner: any BuildRunner
    let images: BaseImages
    let caches: CacheMounts
    let arguments: BuildArguments
    let escape: Character
    /// The Dockerfile's lines, for excerpts.
    let lines: [Substring]
    let fileDigests: FileDigestCache
    let failures: FailedSteps
    let report: @Sendable (BuildEvent) async -> Void
    /// What steps came to, for an export of the cache.
    let records = Mutex<[Digest: CacheRecord]>([:])
    private let extraSteps = Atomic(1_000_000)

    init(
        builder: Builder,
        request: BuildRequest,
        images: BaseImages,
        arguments: BuildArguments,
        escape: Character,
        lines: [Substring],
        report: @escaping @Sendable (BuildEvent) async -> Void
    ) {
        self.request = request
        store = builder.store
        runner = builder.runner
        self.images = images
        caches = builder.caches
        fileDigests = builder.fileDigests
        failures = builder.failures
        self.arguments = arguments
        self.escape = escape
        self.lines = lines
        self.report = report
    }

    /// Seconds since 1970 that no time in the image is after; `nil` for the times as they are.
    var epoch: Int64? { arguments.epoch }

    /// A number for a step that no one counted before.
    func extraStep() -> Int { extraSteps.add(1, ordering: .relaxed).newValue }

    /// Builds the graph's stages, each as soon as those it needs are there.
    func run(_ graph: BuildGraph) async throws -> StageState {
        await report(.began(steps: graph.nodes.reduce(0) { $0 + $1.stage.instructions.count + 1 }))
        var tasks: [Int: Task<StageState, any Error>] = [:]
        var firstStep = 1
        for node in graph.nodes {
            let stage = StageBuilder(build: self, node: node, firstStep: firstStep)
            firstStep += node.stage.instructions.count + 1
            let earlier = tasks
            tasks[node.stage.index] = Task {
                try await stage.run {
                    node.base == .scratch ? nil : try await self.state(of: node.base, earlier)
                } source: { reference in
                    if case .directory(let path, let name) = reference { return .directory(path, name: name) }
                    return .stage(try await self.state(of: reference, earlier))
                }
            }
        }
        let all = Array(tasks.values)
        return try await withTaskCancellationHandler {
            guard let target = tasks[graph.target] else {
                throw EscaleError(.internalFault, "the build's target is not among its stages")
            }
            // The target needs all the others: where one has failed, nobody waits for the rest.
            let failure = await Self.firstFailure(of: all)
            for task in all { task.cancel() }
            for task in all { _ = await task.result }
            if let failure { throw failure }
            return try await target.value
        } onCancel: {
            for task in all { task.cancel() }
        }
    }

    private static func firstFailure(of tasks: [Task<StageState, any Error>]) async -> (any Error)? {
        await withTaskGroup(of: (any Error)?.self) { group in
            for task in tasks {
                group.addTask {
                    switch await task.result {
                    case .success: nil
                    case .failure(let error): error
                    }
                }
            }
            for await failure in group {
                guard let failure else { continue }
                for task in tasks { task.cancel() }
                return failure
            }
            return nil
        }
    }

    private func state(
        of reference: TreeReference,
        _ stages: [Int: Task<StageState, any Error>]
    ) async throws -> StageState {
        switch reference {
        case .scratch, .directory: throw EscaleError(.internalFault, "there is no image to begin with")
        case .stage(let index):
            guard let stage = stages[index] else {
                throw EscaleError(.internalFault, "stage \(index) was not planned")
            }
            return try await stage.value
        case .image(let name, let platform):
            let image = try await images.find(name, platform ?? request.platform, request.pulls)
            return StageState(config: image.config, layers: image.layers)
        }
    }

    /// Lines of the Dockerfile with their numbers, two before and after; those that it is about are marked.
    func excerpt(_ range: ClosedRange<Int>) -> String {
        let shown = max(1, range.lowerBound - 2)...max(1, min(lines.count, range.upperBound + 2))
        let width = "\(shown.upperBound)".count
        return shown.filter { lines.indices.contains($0 - 1) }.map { number in
            let padded = String(repeating: " ", count: width - "\(number)".count) + "\(number)"
            return "\(range.contains(number) ? ">" : " ") \(padded) | \(lines[number - 1])"
        }
        .joined(separator: "\n")
    }

    func cached(_ key: Digest) async -> CacheRecord? {
        let store = store
        // A record that can't be read is none.
        return try? await blocking { store.cacheRecord(key) }
    }

    /// The build context without what is left out of it.
    func context() async throws -> SourceTree {
        let request = request
        return try await blocking {
            try SourceTree(
                request.contextDirectory,
                name: "the build context",
                ignore: try request.ignore(),
                keepsOwners: false
            )
        }
    }
}

extension BuildRequest {
    /// What is left out of the context: by `Dockerfile.dockerignore`, else by `.dockerignore`.
    func ignore() throws -> Dockerignore {
        let own = (dockerfilePath ?? contextDirectory + "/Dockerfile") + ".dockerignore"
        for path in [own, contextDirectory + "/.dockerignore"] where Files.exists(path) {
            return Dockerignore(try Files.readText(path))
        }
        return Dockerignore()
    }
}

/// Finds the images that stages begin with.
package struct BaseImages: Sendable {
    /// - Parameters:
    ///   - platform: as somebody wrote it; `nil` for this machine's.
    ///   - pulls: whether the registry is asked although the image is here.
    package typealias Find = @Sendable (_ name: String, _ platform: String?, _ pulls: Bool) async throws -> StoredImage

    let find: Find

    package init(_ find: @escaping Find) { self.find = find }

    /// Only those that are in the store.
    package init(store: ImageStore) { find = { name, _, _ in try store.image(name) } }
}
