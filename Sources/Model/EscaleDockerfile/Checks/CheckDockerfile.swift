package import EscaleCore

/// Looks for bad style and likely mistakes, as `docker build --check` does, without building anything.
///
/// Finds nothing where `# check=skip=all` says so. Problems are warnings, or errors where `# check=error=true`.
/// The build argument `BUILDKIT_DOCKERFILE_CHECK` takes the directive's place. Base images aren't looked into:
/// what they set is unknown.
/// - Parameters:
///   - text: what the Dockerfile was parsed from.
///   - target: the stage that is built: others than it and those it needs are only looked at for how they are
///     written. `nil` for all.
///   - arguments: the build's arguments.
///   - ignore: what the build context leaves out.
package func checkDockerfile(
    _ dockerfile: Dockerfile,
    text: String,
    target: String?,
    arguments: [String: String],
    ignore: Dockerignore
) -> [Diagnostic] {
    var run = CheckRun(dockerfile, text: text, arguments: arguments, ignore: ignore)
    run.readArgument()
    guard !run.checks.skipsAll else { return run.findings }
    run.checkWriting()
    run.checkDescriptions()
    run.checkFroms()
    run.checkStages(dockerfile.stagesNeeded(by: target))
    return run.findings.sortedByPosition()
}

/// One look at a Dockerfile. What is checked is in extensions, a few rules in each.
struct CheckRun {
    let dockerfile: Dockerfile
    let lines: LogicalLines
    let arguments: [String: String]
    let ignore: Dockerignore
    /// Which checks run.
    private(set) var checks: CheckDirective
    private(set) var findings: [Diagnostic] = []
    private let linesByNumber: [Int: LogicalLine]

    init(_ dockerfile: Dockerfile, text: String, arguments: [String: String], ignore: Dockerignore) {
        self.dockerfile = dockerfile
        self.arguments = arguments
        self.ignore = ignore
        checks = dockerfile.checks
        lines = LogicalLines(text, file: dockerfile.file)
        linesByNumber = Dictionary(
            lines.lines.map { ($0.firstLine, $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    var escape: Character { dockerfile.escape }

    /// Lets the build argument take the place of `# check=`.
    mutating func readArgument() {
        guard let text = arguments["BUILDKIT_DOCKERFILE_CHECK"] else { return }
        let result = CheckDirective.parse(text[...])
        checks = result.directive
        for problem in result.problems {
            findings.append(
                Diagnostic(
                    problem.isError ? .error : .warning,
                    EscaleError.Code("dockerfile.directive"),
                    "build argument BUILDKIT_DOCKERFILE_CHECK: \(problem.message)",
                    at: SourcePosition(file: dockerfile.file, line: 1, column: 1),
                    hint: problem.hint
                )
            )
        }
    }

    /// Adds a finding, unless its check is skipped.
    ///
    /// - Parameter hint: what to do about it; the check's own where none is given.
    mutating func report(
        _ check: BuildCheck,
        _ message: String,
        _ position: SourcePosition,
        hint: String? = nil
    ) {
        guard !checks.skipped.contains(check.name) else { return }
        if check.isExperimental {
            guard checks.experimental.contains(check.name) || checks.experimental.contains("all") else {
                return
            }
        }
        findings.append(
            Diagnostic(
                checks.failsBuild ? .error : .warning,
                EscaleError.Code("dockerfile.check.\(check.name)"),
                message,
                at: position,
                hint: hint ?? check.fix
            )
        )
    }

    /// The words of the instruction that begins at a position, after its name and flags, and where they are.
    func words(at position: SourcePosition) -> [(text: String, position: SourcePosition)] {
        guard let line = linesByNumber[position.line] else { return [] }
        let text = InstructionText(line.text[line.keyword.endIndex...].trimmed, heredocs: [], escape: escape)
        return text.words.map { (String($0), line.position(of: $0.startIndex, file: dockerfile.file)) }
    }

    /// The instruction's name, as written.
    func keyword(at position: SourcePosition) -> Substring { linesByNumber[position.line]?.keyword ?? "" }
}

extension Dockerfile {
    /// The last stage before another with a name or number, as a `FROM` or `--from` means it.
    func stage(named name: String, before index: Int) -> BuildStage? {
        let earlier = stages.prefix(index)
        if let stage = earlier.last(where: { $0.name == name.lowercased() }) { return stage }
        return Int(name).flatMap { earlier.indices.contains($0) ? earlier[$0] : nil }
    }

    /// The stages that a target is built from, itself included; all for no target or one that isn't there.
    func stagesNeeded(by target: String?) -> Set<Int> {
        guard let target, let last = stage(named: target, before: stages.count) else {
            return Set(stages.indices)
        }
        var needed: Set<Int> = []
        var waiting = [last.index]
        while let index = waiting.popLast() {
            guard needed.insert(index).inserted else { continue }
            for source in stages[index].sources {
                // Which stage a variable stands for isn't known here.
                waiting +=
                    source.contains("$")
                    ? Array(0..<index) : stage(named: source, before: index).map { [$0.index] } ?? []
            }
        }
        return needed
    }
}

extension BuildStage {
    /// The stages and images that it takes files from, its base among them.
    fileprivate var sources: [String] {
        [base]
            + instructions.flatMap { instruction -> [String] in
                switch instruction.kind {
                case .copy(let copy): copy.from.map { [$0] } ?? []
                case .run(let run): run.mounts.compactMap(\.from)
                case .argument, .environment, .label, .workingDirectory, .user, .expose, .volume, .command,
                    .entrypoint,
                    .healthcheck, .shell, .stopSignal, .maintainer, .onBuild:
                    []
                }
            }
    }
}
