import EscaleArchive
import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI
import EscaleSystem
import Synchronization

/// Builds one stage, instruction by instruction.
struct StageBuilder: Sendable {
    let build: BuildJob
    let node: BuildGraph.Node
    /// The number of the stage's first step within the build.
    let firstStep: Int

    /// Gives the stages, images and directories that a `--from` names, as soon as they are there.
    typealias Sources = @Sendable (BuildGraph.Source) async throws -> BuildSource

    /// - Parameter base: the stage or image that `FROM` names; `nil` for `scratch`.
    func run(
        base: () async throws -> StageState?,
        source: @escaping @Sendable (TreeReference) async throws -> BuildSource
    ) async throws -> StageState {
        let from = step(0, node.stage.text, node.stage.position)
        var state = try await begin(base: base, from)
        try await runTriggers(&state, source)
        for (index, instruction) in node.stage.instructions.enumerated() {
            try Task.checkCancellation()
            let step = step(index + 1, instruction.text, instruction.position)
            do {
                try await perform(instruction, index, step, &state) { key in
                    guard let reference = node.sources[key] else { return .context }
                    return try await source(reference)
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
        // A stage goes on with what its stage knew; an image's are not known any more.
        if case .stage = node.base {} else { own.arguments = [:] }
        own.hasOwnCommand = false
        own.epoch = epoch
        return own
    }

    private func scratch() throws -> StageState {
        let platform = try build.request.platform.map { try ImagePlatform($0) } ?? .host
        var config = ImageConfig(architecture: platform.architecture, os: platform.os)
        config.variant = platform.variant
        config.config = .standard
        return StageState(config: config, layers: [])
    }

    /// Runs what the image below asks for with `ONBUILD`; the new image doesn't ask for it again.
    private func runTriggers(
        _ state: inout StageState,
        _ source: @escaping @Sendable (TreeReference) async throws -> BuildSource
    ) async throws {
        guard let triggers = state.config.config.onBuild, !triggers.isEmpty else { return }
        state.config.config.onBuild = nil
        for (number, text) in triggers.enumerated() {
            let (instruction, diagnostics) = parseTrigger(text, file: "ONBUILD of \(node.stage.base)")
            guard var instruction, !diagnostics.hasErrors else {
                throw EscaleError.dockerfile("ONBUILD of \(node.stage.base)", diagnostics).placed(at: node.stage.position)
            }
            // What is shown of the Dockerfile is the FROM that brought it.
            instruction.position = node.stage.position
            instruction.lastLine = node.stage.position.line
            let trigger = instruction
            let step = BuildStep(
                id: build.extraStep(), stage: node.stage.displayName, number: number + 1, count: triggers.count,
                text: "ONBUILD " + instruction.text, position: node.stage.position)
            do {
                try await perform(trigger, -1, step, &state) { _ in
                    guard case .copy(let copy) = trigger.kind, let from = copy.from else { return .context }
                    return try await source(.image(from, platform: nil))
                }
            } catch {
                throw EscaleError(wrapping: error).placed(at: node.stage.position)
            }
        }
    }

    private func perform(
        _ instruction: Instruction,
        _ index: Int,
        _ step: BuildStep,
        _ state: inout StageState,
        sources: @escaping Sources
    ) async throws {
        switch instruction.kind {
        case .run(let run): try await perform(run, index, instruction, step, &state, sources: sources)
        case .copy(let copy):
            let source = copy.from == nil ? .context : try await sources(.init(instruction: index))
            try await perform(copy, step, &state, source: source)
        case .workingDirectory(let path): try await setWorkingDirectory(path, step, &state)
        case .argument, .environment, .label, .user, .expose, .volume, .command, .entrypoint, .healthcheck,
            .shell,
            .stopSignal, .maintainer, .onBuild:
            try state.apply(instruction.kind, escape: build.escape, arguments: build.arguments)
            state.record(step.text, at: epoch)
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
            state.record(step.text, at: epoch)
            return await build.report(.stepCached(step))
        }
        var options = TreeCopy.Options()
        if let user = known.config.config.user { options.owner = try await resolve(user, known) }
        var key = StepKey("workdir 2")
        key.add(state.layers)
        key.add(path)
        key.add(options.owner.map { "\($0.uid):\($0.gid)" } ?? "")
        try await makeLayer(key.finish(), step, &state) { [options] area in
            try await overlay(known.layers, area).run {
                try TreeCopy(area.merged, options: options).makeDirectory(path)
            }
        }
    }
}

// MARK: Layers

extension StageBuilder {
    var epoch: Timestamp? { build.epoch.map { Timestamp(nanoseconds: $0 &* 1_000_000_000) } }

    private var usesCache: Bool {
        !build.request.ignoresCache && !build.request.stagesWithoutCache.contains(node.stage.displayName.lowercased())
    }

    /// Takes the step's layer from the cache, or has it made and remembers it.
    ///
    /// - Parameters:
    ///   - base: the layers that the step builds upon, if it isn't all of them.
    ///   - work: fills the area's upper directory.
    func makeLayer(
        _ plainKey: Digest,
        _ step: BuildStep,
        _ state: inout StageState,
        base: [Digest]? = nil,
        work: (WorkArea) async throws -> Void
    ) async throws {
        let before = base ?? state.layers
        let key = withEpoch(plainKey)
        if usesCache, let record = await build.cached(key),
            record.layers.starts(with: before),
            record.layers.count - before.count <= 1
        {
            build.records.withLock { $0[key] = record }
            state.record(
                step.text,
                layer: record.layers.dropFirst(before.count).first,
                at: epoch ?? record.note.flatMap { Timestamp($0) }
            )
            return await build.report(.stepCached(step))
        }
        let clock = ContinuousClock()
        let start = clock.now
        await build.report(.stepStarted(step))
        do {
            let layer = try await fill(work)
            let now = Timestamp.now
            let record = CacheRecord(layers: before + (layer.map { [$0] } ?? []), note: now.description)
            let store = build.store
            try await blocking { try store.setCacheRecord(record, for: key) }
            build.records.withLock { $0[key] = record }
            state.record(step.text, layer: layer, at: epoch ?? now)
        } catch {
            await build.report(.stepFailed(step, seconds: (clock.now - start).seconds))
            throw error
        }
        await build.report(.stepFinished(step, seconds: (clock.now - start).seconds))
    }

    private func fill(_ work: (WorkArea) async throws -> Void) async throws -> Digest? {
        let store = build.store
        let area = try await blocking { try store.makeWorkArea() }
        do {
            try await work(area)
            let layer = try await store.commitLayer(
                area.upper, newest: build.epoch.map { FileTime(seconds: $0) })
            try await blocking { store.discard(area) }
            return layer
        } catch let error as KeptFailure {
            throw error.error
        } catch {
            try await blocking { store.discard(area) }
            throw error
        }
    }

    /// Times in a layer depend on the epoch, so what was made for one is none for another.
    private func withEpoch(_ key: Digest) -> Digest {
        guard let epoch = build.epoch else { return key }
        var all = StepKey("epoch")
        all.add("\(epoch)")
        all.add(key)
        return all.finish()
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

/// A failure whose work area somebody keeps.
struct KeptFailure: Error {
    let error: EscaleError
}
