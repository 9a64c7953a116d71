import EscaleArchive
import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI
import EscaleSystem

/// Builds one stage, instruction by instruction.
struct StageBuilder: Sendable {
    let build: BuildJob
    let node: BuildGraph.Node
    /// The number of the stage's first step within the build.
    let firstStep: Int

    /// - Parameters:
    ///   - base: the stage or image that `FROM` names; `nil` for `scratch`.
    ///   - source: gives the stages and images that `COPY --from` names, as soon as they are there.
    func run(
        base: () async throws -> StageState?,
        source: @escaping (TreeReference) async throws -> StageState
    ) async throws -> StageState {
        let from = step(0, node.stage.text, node.stage.position)
        var state = try await begin(base: base, from)
        for (index, instruction) in node.stage.instructions.enumerated() {
            try Task.checkCancellation()
            let step = step(index + 1, instruction.text, instruction.position)
            do {
                try await perform(instruction, step, &state) {
                    // Only a COPY with --from asks.
                    try await source(node.copies[index] ?? .scratch)
                }
            } catch {
                throw EscaleError(wrapping: error).placed(at: instruction.position)
            }
        }
        return state
    }

    private func step(_ index: Int, _ text: String, _ position: SourcePosition) -> BuildStep {
        BuildStep(
            id: firstStep + index,
            stage: node.stage.displayName,
            number: index + 1,
            count: node.stage.instructions.count + 1,
            text: text,
            position: position
        )
    }

    private func begin(base: () async throws -> StageState?, _ step: BuildStep) async throws -> StageState {
        let state: StageState
        do {
            state = try await base() ?? scratch()
        } catch {
            throw EscaleError(wrapping: error).placed(at: step.position)
        }
        await build.report(.stepCached(step))
        var own = state
        own.arguments = [:]
        own.hasOwnCommand = false
        return own
    }

    private func scratch() -> StageState {
        var config = ImageConfig(architecture: hostArchitecture())
        config.config = .standard
        return StageState(config: config, layers: [])
    }

    private func perform(
        _ instruction: Instruction,
        _ step: BuildStep,
        _ state: inout StageState,
        source: @escaping () async throws -> StageState
    ) async throws {
        switch instruction.kind {
        case .run(let run): try await perform(run, instruction, step, &state)
        case .copy(let copy):
            try await perform(copy, step, &state, source: copy.from == nil ? nil : try await source())
        case .workingDirectory(let path): try await setWorkingDirectory(path, step, &state)
        case .argument, .environment, .label, .user, .expose, .volume, .command, .entrypoint, .healthcheck,
            .shell,
            .stopSignal, .maintainer, .onBuild:
            try state.apply(instruction.kind, escape: build.escape, arguments: build.arguments)
            state.record(step.text)
            await build.report(.stepCached(step))
        }
    }

    private func setWorkingDirectory(_ word: String, _ step: BuildStep, _ state: inout StageState)
        async throws
    {
        let known = state
        let path = known.absolute(try expandWord(word, escape: build.escape) { known.value($0) })
        state.config.config.workingDirectory = path
        let store = build.store
        let exists = try await blocking {
            try store.tree(of: known.layers).find(path)?.status.kind == .directory
        }
        if exists {
            state.record(step.text)
            return await build.report(.stepCached(step))
        }
        var key = StepKey("workdir")
        key.add(state.layers)
        key.add(path)
        try await makeLayer(key.finish(), step, &state) { area in
            try await overlay(known.layers, area).run { try TreeCopy(area.merged).makeDirectory(path) }
        }
    }

    /// Takes the step's layer from the cache, or has it made and remembers it.
    ///
    /// - Parameter work: fills the area's upper directory.
    func makeLayer(
        _ key: Digest,
        _ step: BuildStep,
        _ state: inout StageState,
        work: (WorkArea) async throws -> Void
    ) async throws {
        let before = state.layers
        if !build.request.ignoresCache, let record = await build.cached(key),
            record.layers.starts(with: before),
            record.layers.count - before.count <= 1
        {
            state.record(
                step.text,
                layer: record.layers.dropFirst(before.count).first,
                at: record.note.flatMap { Timestamp($0) }
            )
            return await build.report(.stepCached(step))
        }
        let clock = ContinuousClock()
        let start = clock.now
        await build.report(.stepStarted(step))
        do {
            let store = build.store
            let area = try await blocking { try store.makeWorkArea() }
            let layer: Digest?
            do {
                try await work(area)
                layer = try await store.commitLayer(area.upper)
            } catch {
                try await blocking { store.discard(area) }
                throw error
            }
            let now = Timestamp.now
            let layers = before + (layer.map { [$0] } ?? [])
            try await blocking {
                store.discard(area)
                try store.setCacheRecord(CacheRecord(layers: layers, note: now.description), for: key)
            }
            state.record(step.text, layer: layer, at: now)
        } catch {
            await build.report(.stepFailed(step, seconds: (clock.now - start).seconds))
            throw error
        }
        await build.report(.stepFinished(step, seconds: (clock.now - start).seconds))
    }

    /// A mount namespace in which the area's `merged` shows the layers and takes changes into `upper`.
    func overlay(_ layers: [Digest], _ area: WorkArea) -> MountNamespace {
        let run = BuildRun(
            lower: build.store.lowerDirectories(of: layers),
            upper: area.upper,
            work: area.work,
            arguments: [],
            environment: [:],
            workingDirectory: "/",
            user: ""
        )
        return MountNamespace(
            mounts: [
                PrivateMount(source: "overlay", target: area.merged, type: "overlay", data: run.overlayData)
            ],
            directory: build.store.layersDirectory
        )
    }
}
