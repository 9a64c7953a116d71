import EscaleCore

/// Variables that nothing sets, and those that hold secrets.
extension CheckRun {
    /// Set in any build: the search path, and the proxies that Docker predefines.
    private static let alwaysKnown: Set<String> = {
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"]
        return Set(proxies + proxies.map { $0.lowercased() } + ["PATH"])
    }()

    mutating func checkVariables(of instruction: Instruction, _ scope: StageScope) {
        guard !scope.isUnsure else { return }
        var known = scope.names.union(Self.alwaysKnown)
        var unknown: [String] = []
        for word in instruction.words {
            let references = variableReferences(in: word.text, escape: escape, keepsQuotes: word.isText)
            for reference in references where !reference.mayBeUnset && !known.contains(reference.name) {
                if isName(reference.name) && !unknown.contains(reference.name) {
                    unknown.append(reference.name)
                }
            }
            // The next ARG of the same line sees this one.
            if let name = word.declares { known.insert(name) }
        }
        for name in unknown {
            report(
                .undefinedVar,
                "the variable $\(name) is not set here",
                instruction.position,
                hint: hint(forUnknown: name, known)
            )
        }
    }

    private func hint(forUnknown name: String, _ known: Set<String>) -> String? {
        if Self.platformArguments.contains(name) { return "write ARG \(name) before this line" }
        if dockerfile.arguments.contains(where: { $0.name == name }) {
            return "write ARG \(name) before this line too: the one above FROM is only for FROM"
        }
        return similar(to: name, in: known).map { "did you mean $\($0)?" }
    }

    /// Of one or two letters, any name would be near.
    func similar(to name: String, in known: Set<String>) -> String? {
        name.count > 2 ? nearest(name, to: known.sorted()) : nil
    }

    /// Not `$1` and its like, which no `ARG` can declare.
    private func isName(_ name: String) -> Bool { name.first.map { $0.isLetter || $0 == "_" } ?? false }

    private static let secretWords: Set<String> = [
        "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret",
        "token",
    ]

    mutating func checkSecrets(_ instruction: String, _ names: [String], _ position: SourcePosition) {
        for name in names {
            let words = Set(name.lowercased().split(separator: "_").map(String.init))
            guard !words.isDisjoint(with: Self.secretWords), !words.contains("public") else { continue }
            report(
                .secretsUsedInArgOrEnv,
                "\(instruction) \(name) looks like a secret, and stays readable in the image",
                position
            )
        }
    }
}

/// A word of an instruction that may hold variables.
private struct VariableWord {
    let text: String
    /// Whether it is a heredoc's content, in which quotes mean nothing.
    var isText = false
    /// The variable that is known after it.
    var declares: String?
}

extension Instruction {
    /// The words that Escale expands.
    fileprivate var words: [VariableWord] {
        switch kind {
        case .argument(let all): all.map { VariableWord(text: $0.value ?? "", declares: $0.name) }
        case .environment(let all): all.map { VariableWord(text: $0.value) }
        case .label(let all): all.flatMap { [VariableWord(text: $0.name), VariableWord(text: $0.value)] }
        case .workingDirectory(let text), .user(let text), .stopSignal(let text): [VariableWord(text: text)]
        case .expose(let all), .volume(let all): all.map { VariableWord(text: $0) }
        case .copy(let copy): copy.words
        case .run(let run):
            run.mounts.flatMap { [$0.id, $0.target, $0.source, $0.from, $0.mode, $0.uid, $0.gid, $0.size] }
                .compactMap { $0.map { VariableWord(text: $0) } }
        case .command, .entrypoint, .healthcheck, .shell, .maintainer, .onBuild: []
        }
    }
}

extension CopyInstruction {
    fileprivate var words: [VariableWord] {
        let paths = sources.compactMap { source -> VariableWord? in
            switch source {
            case .path(let path): VariableWord(text: path)
            case .inline(let heredoc):
                heredoc.expands ? VariableWord(text: heredoc.content, isText: true) : nil
            }
        }
        let settings = [destination, owner, mode, checksum].compactMap(\.self) + excludes
        return paths + settings.map { VariableWord(text: $0) }
    }
}
