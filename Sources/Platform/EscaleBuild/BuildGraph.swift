import EscaleCore
import EscaleDockerfile

/// Where a stage begins, or a `COPY --from` reads.
enum TreeReference: Hashable, Sendable {
    case scratch
    case stage(Int)
    case image(String)
}

/// The stages that a target needs, and what each of them needs.
///
/// A stage only ever refers to earlier ones, so the stages' own order is one in which all can be built.
struct BuildGraph: Sendable {
    struct Node: Sendable {
        let stage: BuildStage
        let base: TreeReference
        /// By the instruction's index.
        let copies: [Int: TreeReference]

        var needs: Set<Int> {
            Set(
                ([base] + copies.values).compactMap {
                    if case .stage(let index) = $0 { index } else { nil }
                }
            )
        }
    }

    /// Only those that are needed, in order.
    let nodes: [Node]
    let target: Int

    /// - Parameter arguments: the values of the `ARG`s before the first `FROM`.
    /// - Throws: `build.unknown-stage`, `dockerfile.expansion`.
    init(_ dockerfile: Dockerfile, target: String?, arguments: [String: String]) throws(EscaleError) {
        var all: [Node] = []
        for stage in dockerfile.stages {
            all.append(try Self.node(stage, in: dockerfile, arguments))
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
        if let stage = dockerfile.stages.first(where: { $0.name == target.lowercased() }) {
            return stage.index
        }
        if let index = Int(target), dockerfile.stages.indices.contains(index) { return index }
        throw .unknownStage(target, dockerfile.stages.compactMap(\.name), at: nil)
    }

    private static func node(
        _ stage: BuildStage,
        in dockerfile: Dockerfile,
        _ arguments: [String: String]
    ) throws(EscaleError) -> Node {
        let earlier = dockerfile.stages.prefix(stage.index)
        let base: String
        do throws(EscaleError) {
            base = try expandWord(stage.base, escape: dockerfile.escape) { arguments[$0] }
        } catch {
            throw error.placed(at: stage.position)
        }
        guard !base.isEmpty else {
            throw .build(
                "build.base-missing",
                "FROM \(stage.base) names nothing: the variable is empty",
                at: stage.position,
                hint: "give the ARG before the FROM a value"
            )
        }
        let reference: TreeReference =
            if base == "scratch" {
                .scratch
            } else if let other = earlier.last(where: { $0.name == base.lowercased() }) {
                .stage(other.index)
            } else {
                .image(base)
            }
        var copies: [Int: TreeReference] = [:]
        for (index, instruction) in stage.instructions.enumerated() {
            guard case .copy(let copy) = instruction.kind, let from = copy.from else { continue }
            if let other = earlier.last(where: { $0.name == from.lowercased() }) {
                copies[index] = .stage(other.index)
            } else if let number = Int(from) {
                guard number < stage.index, number >= 0 else {
                    throw .unknownStage(from, earlier.compactMap(\.name), at: instruction.position)
                }
                copies[index] = .stage(number)
            } else if dockerfile.stages.contains(where: { $0.name == from.lowercased() }) {
                throw .build(
                    "build.unknown-stage",
                    "stage \"\(from)\" comes only later",
                    at: instruction.position,
                    hint: "put it before the stage that copies from it"
                )
            } else {
                copies[index] = .image(from)
            }
        }
        return Node(stage: stage, base: reference, copies: copies)
    }
}
