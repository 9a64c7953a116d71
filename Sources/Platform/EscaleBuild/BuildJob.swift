import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI
import EscaleSystem

/// One run of a build: what all of its stages share.
final class BuildJob: Sendable {
    let request: BuildRequest
    let store: ImageStore
    let runner: any BuildRunner
    let arguments: BuildArguments
    let escape: Character
    let fileDigests: FileDigestCache
    let report: @Sendable (BuildEvent) async -> Void

    init(
        request: BuildRequest,
        store: ImageStore,
        runner: any BuildRunner,
        arguments: BuildArguments,
        escape: Character,
        fileDigests: FileDigestCache,
        report: @escaping @Sendable (BuildEvent) async -> Void
    ) {
        self.request = request
        self.store = store
        self.runner = runner
        self.arguments = arguments
        self.escape = escape
        self.fileDigests = fileDigests
        self.report = report
    }

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
                } source: {
                    try await self.state(of: $0, earlier)
                }
            }
        }
        let all = Array(tasks.values)
        return try await withTaskCancellationHandler {
            guard let target = tasks[graph.target] else {
                throw EscaleError(.internalFault, "the build's target is not among its stages")
            }
            let result = await target.result
            // The target needs all the others: where it has failed, nobody waits for them any more.
            for task in all { task.cancel() }
            for task in all { _ = await task.result }
            return try result.get()
        } onCancel: {
            for task in all { task.cancel() }
        }
    }

    private func state(
        of reference: TreeReference,
        _ stages: [Int: Task<StageState, any Error>]
    ) async throws -> StageState {
        switch reference {
        case .scratch: throw EscaleError(.internalFault, "scratch has no files")
        case .stage(let index):
            guard let stage = stages[index] else {
                throw EscaleError(.internalFault, "stage \(index) was not planned")
            }
            return try await stage.value
        case .image(let name):
            let image = try store.image(name)
            if let triggers = image.config.config.onBuild, !triggers.isEmpty {
                throw EscaleError(
                    .init("build.unsupported"),
                    "image \(name) has ONBUILD instructions, which are not supported yet"
                )
            }
            return StageState(config: image.config, layers: image.layers)
        }
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
            var text = ""
            let own = (request.dockerfilePath ?? request.contextDirectory + "/Dockerfile") + ".dockerignore"
            for path in [own, request.contextDirectory + "/.dockerignore"] where Files.exists(path) {
                text = try Files.readText(path)
                break
            }
            return try SourceTree(
                request.contextDirectory,
                name: "the build context",
                ignore: Dockerignore(text),
                keepsOwners: false
            )
        }
    }
}
