package import EscaleCore

/// Reads a Dockerfile. Never fails: what can't be used is left out and told by a diagnostic.
///
/// - Parameters:
///   - text: the whole file.
///   - file: what positions call it.
package func parseDockerfile(_ text: String, file: String) -> (
    dockerfile: Dockerfile, diagnostics: [Diagnostic]
) {
    var parser = DockerfileParser(text, file: file)
    parser.parse()
    return (parser.dockerfile, parser.diagnostics.sortedByPosition())
}

/// Reads one `ONBUILD` trigger as an image's configuration has it: an instruction, with its heredocs.
///
/// Never fails: where there is no instruction, a diagnostic says why.
/// - Parameter file: what positions call the trigger.
package func parseTrigger(_ text: String, file: String) -> (
    instruction: Instruction?, diagnostics: [Diagnostic]
) {
    var parser = DockerfileParser(text, file: file)
    let instruction = parser.trigger()
    return (instruction, parser.diagnostics.sortedByPosition())
}

struct DockerfileParser {
    private let lines: LogicalLines
    var dockerfile: Dockerfile
    var diagnostics: [Diagnostic]
    /// The instruction at hand.
    private var line: LogicalLine

    static let keywords = [
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
        "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    ]

    init(_ text: String, file: String) {
        lines = LogicalLines(text, file: file)
        dockerfile = Dockerfile(
            file: file,
            escape: lines.escape,
            syntax: lines.directives.syntax,
            checks: lines.directives.checks
        )
        diagnostics = lines.diagnostics
        line = LogicalLine(firstLine: 1, column: 1)
    }

    var escape: Character { lines.escape }

    /// Where the instruction at hand begins.
    var position: SourcePosition {
        SourcePosition(file: dockerfile.file, line: line.firstLine, column: line.column)
    }

    mutating func parse() {
        for next in lines.lines {
            line = next
            parseLine()
        }
        if dockerfile.stages.isEmpty && !diagnostics.hasErrors {
            line = LogicalLine(firstLine: 1, column: 1)
            report(
                "dockerfile.no-stage",
                "the Dockerfile has no FROM",
                hint: "begin with FROM and an image's name"
            )
        }
    }

    /// - Parameter index: the place in the instruction's text; its beginning where none is given.
    mutating func report(
        _ code: String,
        _ message: String,
        at index: String.Index? = nil,
        hint: String? = nil
    ) {
        let place = index.map { line.position(of: $0, file: dockerfile.file) } ?? position
        diagnostics.append(.error(code, message, place, hint: hint))
    }

    func position(of text: Substring) -> SourcePosition {
        line.position(of: text.startIndex, file: dockerfile.file)
    }

    mutating func warn(_ code: String, _ message: String, hint: String? = nil) {
        diagnostics.append(.warning(code, message, position, hint: hint))
    }

    private mutating func parseLine() {
        guard let name = knownName(line.keyword) else { return }
        let text = instructionText(after: line.keyword, in: line.text[...])
        if name == "FROM" { return parseFrom(text, line: line.text) }
        guard !dockerfile.stages.isEmpty else {
            guard name == "ARG" else {
                return report(
                    "dockerfile.no-stage",
                    "\(name) comes before the first FROM",
                    hint: "only ARG may"
                )
            }
            dockerfile.arguments += argumentDeclarations(text)
            return
        }
        guard let kind = kind(name, text) else { return }
        dockerfile.stages[dockerfile.stages.count - 1].instructions.append(instruction(kind))
    }

    private func instruction(_ kind: Instruction.Kind) -> Instruction {
        Instruction(kind, position: position, lastLine: line.lastLine, text: line.text)
    }

    private func instructionText(after keyword: Substring, in text: Substring) -> InstructionText {
        InstructionText(text[keyword.endIndex...].trimmed, heredocs: line.heredocs, escape: escape)
    }

    /// In upper case; reports one that isn't an instruction's.
    private mutating func knownName(_ keyword: Substring) -> String? {
        let name = keyword.uppercased()
        if Self.keywords.contains(name) { return name }
        report(
            "dockerfile.unknown-instruction",
            "unknown instruction \(keyword)",
            at: keyword.startIndex,
            hint: nearest(name, to: Self.keywords).map { "did you mean \($0)?" }
        )
        return nil
    }

    /// What an instruction other than `FROM` says.
    private mutating func kind(_ name: String, _ text: InstructionText) -> Instruction.Kind? {
        if text.isEmpty && name != "CMD" && name != "ENTRYPOINT" {
            report("dockerfile.syntax", "\(name) needs an argument")
            return nil
        }
        if hasOpenQuote(text, of: name) { return nil }
        switch name {
        case "COPY", "ADD": return copy(name, text)
        case "RUN": return run(text)
        case "HEALTHCHECK": return healthcheck(text)
        default: break
        }
        guard withoutFlags(name, text) else { return nil }
        switch name {
        case "ARG":
            let declarations = argumentDeclarations(text)
            return declarations.isEmpty ? nil : .argument(declarations)
        case "ENV": return namesAndValues(name, text).map { .environment($0) }
        case "LABEL": return namesAndValues(name, text).map { .label($0) }
        case "WORKDIR": return .workingDirectory(String(text.rest))
        case "USER": return .user(String(text.rest))
        case "EXPOSE": return expose(text)
        case "VOLUME": return volume(text)
        case "CMD": return .command(command(text))
        case "ENTRYPOINT": return .entrypoint(command(text))
        case "SHELL": return shell(text)
        case "STOPSIGNAL": return stopSignal(text)
        case "MAINTAINER": return .maintainer(String(text.rest))
        default: return onBuild(text)
        }
    }
}

// MARK: - ONBUILD

extension DockerfileParser {
    private mutating func onBuild(_ text: InstructionText) -> Instruction.Kind? {
        guard triggerKind(text.rest) != nil else { return nil }
        return .onBuild(text.heredocs.reduce(String(text.rest)) { $0 + "\n" + $1.rawContent + $1.name })
    }

    /// What a trigger says; checked where it is declared too, for its mistakes are there.
    private mutating func triggerKind(_ text: Substring) -> Instruction.Kind? {
        let keyword = text.prefix { !$0.isWhitespace }
        guard let name = knownName(keyword) else { return nil }
        guard !["ONBUILD", "FROM", "MAINTAINER"].contains(name) else {
            report(
                "dockerfile.onbuild",
                "\(name) can't be a trigger of ONBUILD",
                at: keyword.startIndex,
                hint: name == "ONBUILD"
                    ? "write ONBUILD once" : "any instruction but FROM, MAINTAINER and ONBUILD can"
            )
            return nil
        }
        return kind(name, instructionText(after: keyword, in: text))
    }

    fileprivate mutating func trigger() -> Instruction? {
        guard let first = lines.lines.first else {
            report("dockerfile.onbuild", "the trigger is empty")
            return nil
        }
        line = first
        guard let kind = triggerKind(line.text[...]) else { return nil }
        let result = instruction(kind)
        if lines.lines.count > 1 {
            line = lines.lines[1]
            report("dockerfile.onbuild", "a trigger is one instruction, this is another")
        }
        return result
    }
}

// MARK: - FROM

extension DockerfileParser {
    private mutating func parseFrom(_ text: InstructionText, line: String) {
        var platform: String?
        if hasOpenQuote(text, of: "FROM") { return }
        for flag in checkedFlags(text, of: "FROM", known: ["--platform"]) {
            platform = value(of: flag, of: "FROM") ?? platform
        }
        let words = text.words
        var name: String?
        if words.count == 3, words[1].uppercased() == "AS" {
            name = words[2].lowercased()
            if !isStageName(words[2]) {
                report(
                    "dockerfile.stage-name",
                    "\"\(words[2])\" can't be a stage's name",
                    at: words[2].startIndex,
                    hint: "use letters, digits, '-', '_' and '.', starting with a letter"
                )
            }
        } else if words.count != 1 {
            report(
                "dockerfile.syntax",
                "FROM needs one image, or one image AS a name",
                at: words.dropFirst().first?.startIndex
            )
        }
        dockerfile.stages.append(
            BuildStage(
                index: dockerfile.stages.count,
                name: name,
                base: words.first.map(String.init) ?? "scratch",
                platform: platform,
                position: position,
                text: line
            )
        )
    }

    private func isStageName(_ text: Substring) -> Bool {
        guard let first = text.first, first.isASCII, first.isLetter else { return false }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }
}
