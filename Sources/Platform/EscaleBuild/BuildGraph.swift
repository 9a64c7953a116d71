import EscaleCore
import EscaleDockerfile
import EscaleImages

/// Where a stage begins, or a `--from` reads.
enum TreeReference: Hashable, Sendable {
    case scratch
    case stage(Int)
    /// - platform: as `FROM` says it; `nil` for the build's.
    case image(String, platform: String?)
    /// A named build context.
    case directory(String, name: String)
}

/// The stages that a target needs, and what each of them needs.
///
/// A stage only ever refers to earlier ones, so the stages' own order is one in which all can be built.
struct BuildGraph: Sendable {
    /// A `--from`: of a `COPY`, or of one of a `RUN`'s mounts.
    struct Source: Hashable, Sendable {
        let instruction: Int
        var mount: Int?
    }

    struct Node: Sendable {
        let stage: BuildStage
        let base: TreeReference
        let sources: [Source: TreeReference]

        var needs: Set<Int> {
            Set(([base] + sources.values).compactMap { if case .stage(let index) = $0 { index } else { nil } })
        }
    }

    /// Only those that are needed, in order.
    let nodes: [Node]
    let target: Int

    /// - Parameters:
    ///   - arguments: the values of the `ARG`s before the first `FROM`.
    ///   - contexts: which names mean something else than a stage or an image.
    /// - Throws: `build.unknown-stage`, `dockerfile.expansion`.
    init(
        _ dockerfile: Dockerfile,
        target: String?,
        arguments: [String: String],
        contexts: [String: BuildContext] = [:]
    ) throws(EscaleError) {
        let names = NameScope(dockerfile: dockerfile, contexts: contexts)
        var all: [Node] = []
        for stage in dockerfile.stages {
            all.append(try Self.node(stage, names, arguments))
        }
        self.target = try Self.find(target, in: dockerfile)
        var needed: Set<Int> = []
        var open = [self.target]
        while let index = open.popLast() {
            if needed.insert(index).inserted { open += all[index].needs }
        }
        nodes = all.filter { needed.contains($0.stage.index) }
    }

    private static func find(_ target: String?, in dockerfile: Dockerfile) throws(EscaleError) -> Int {
        guard let target else { return dockerfile.stages.count - 1 }
        if let stage = dockerfile.stages.last(where: { $0.name == target.lowercased() }) { return stage.index }
        if let index = Int(target), dockerfile.stages.indices.contains(index) { return index }
        throw .unknownStage(target, dockerfile.stages.compactMap(\.name), at: nil)
    }

    private static func node(_ stage: BuildStage, _ names: NameScope, _ arguments: [String: String])
        throws(EscaleError) -> Node
    {
        func expand(_ word: String) throws(EscaleError) -> String {
            do throws(EscaleError) {
                return try expandWord(word, escape: names.dockerfile.escape) { arguments[$0] }
            } catch {
                throw error.placed(at: stage.position)
            }
        }
        let base = try expand(stage.base)
        guard !base.isEmpty else {
            throw .build(
                "build.base-missing",
                "FROM \(stage.base) names nothing: the variable is empty",
                at: stage.position,
                hint: "give the ARG before the FROM a value"
            )
        }
        let platform = try stage.platform.map(expand)
        let reference = try names.base(base, platform: platform, of: stage)
        var sources: [Source: TreeReference] = [:]
        for (index, instruction) in stage.instructions.enumerated() {
            switch instruction.kind {
            case .copy(let copy):
                guard let from = copy.from else { continue }
                sources[Source(instruction: index)] = try names.source(from, in: stage, at: instruction.position)
            case .run(let run):
                for (number, mount) in run.mounts.enumerated() {
                    guard let from = mount.from else { continue }
                    let key = Source(instruction: index, mount: number)
                    sources[key] = try names.source(from, in: stage, at: instruction.position)
                }
            default: continue
            }
        }
        return Node(stage: stage, base: reference, sources: sources)
    }
}

/// What a name in a Dockerfile means: a named context first, then an earlier stage, then an image.
private struct NameScope {
    let dockerfile: Dockerfile
    let contexts: [String: BuildContext]

    private func context(_ name: String) -> TreeReference? {
        switch contexts[name] ?? contexts[name.lowercased()] {
        case .directory(let path): .directory(path, name: name)
        case .image(let image): .image(image, platform: nil)
        case nil: nil
        }
    }

    func base(_ name: String, platform: String?, of stage: BuildStage) throws(EscaleError) -> TreeReference {
        if name == "scratch" { return .scratch }
        if let context = context(name) {
            if case .directory = context {
                throw .build(
                    "build.base-directory", "FROM \(name): a stage can't begin with a directory", at: stage.position,
                    hint: "begin with scratch and COPY --from=\(name) what is needed")
            }
            return context
        }
        if let other = dockerfile.stages.prefix(stage.index).last(where: { $0.name == name.lowercased() }) {
            return .stage(other.index)
        }
        return .image(name, platform: platform)
    }

    func source(_ name: String, in stage: BuildStage, at position: SourcePosition) throws(EscaleError)
        -> TreeReference
    {
        if let context = context(name) { return context }
        let earlier = dockerfile.stages.prefix(stage.index)
        if let other = earlier.last(where: { $0.name == name.lowercased() }) { return .stage(other.index) }
        if let number = Int(name) {
            guard number < stage.index, number >= 0 else {
                throw .unknownStage(name, earlier.compactMap(\.name), at: position)
            }
            return .stage(number)
        }
        guard !dockerfile.stages.contains(where: { $0.name == name.lowercased() }) else {
            throw .build(
                "build.unknown-stage",
                "stage \"\(name)\" comes only later",
                at: position,
                hint: "put it before the stage that copies from it"
            )
        }
        return .image(name, platform: nil)
    }
}
