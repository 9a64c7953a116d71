/// What is known at one place of a stage.
struct StageScope {
    /// The variables that are declared or set, with a value or not.
    var names: Set<String> = []
    /// Those whose values are known.
    var values: [String: String] = [:]
    /// The variables that `ENV` set, which no `ARG` changes.
    private var environment: Set<String> = []
    /// Whether some `WORKDIR` has been.
    private(set) var hasWorkingDirectory = false
    /// Whether some `SHELL` has been.
    private(set) var hasShell = false
    /// Whether the stage's base isn't known, so that it may be a stage that sets anything.
    var isUnsure = false

    /// Takes in what an instruction sets.
    ///
    /// - Parameters:
    ///   - arguments: the build's arguments.
    ///   - globals: the values of the `ARG`s before the first `FROM`.
    mutating func apply(
        _ instruction: Instruction,
        escape: Character,
        arguments: [String: String],
        globals: [String: String]
    ) {
        switch instruction.kind {
        case .argument(let declarations):
            for declaration in declarations {
                names.insert(declaration.name)
                guard !environment.contains(declaration.name) else { continue }
                values[declaration.name] =
                    arguments[declaration.name] ?? declaration.value.flatMap { expanded($0, escape: escape) }
                    ?? globals[declaration.name]
            }
        case .environment(let pairs):
            let before = self
            for pair in pairs {
                names.insert(pair.name)
                environment.insert(pair.name)
                values[pair.name] = before.expanded(pair.value, escape: escape)
            }
        case .workingDirectory: hasWorkingDirectory = true
        case .shell: hasShell = true
        case .label, .copy, .run, .user, .expose, .volume, .command, .entrypoint, .healthcheck, .stopSignal,
            .maintainer,
            .onBuild:
            break
        }
    }

    /// The word with its variables' values; `nil` where one isn't known or the word is broken.
    func expanded(_ word: String, escape: Character) -> String? {
        let references = variableReferences(in: word, escape: escape)
        guard references.allSatisfy({ $0.mayBeUnset || values[$0.name] != nil }) else { return nil }
        // A broken word is told where it is expanded.
        return try? expandWord(word, escape: escape) { values[$0] }
    }
}
