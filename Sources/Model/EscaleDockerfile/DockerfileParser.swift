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

struct DockerfileParser {
    private let lines: LogicalLines
    var dockerfile: Dockerfile
    var diagnostics: [Diagnostic]
    /// Where the instruction at hand begins.
    private(set) var position: SourcePosition

    static let keywords = [
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
        "MAINTAINER",
        "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    ]

    init(_ text: String, file: String) {
        lines = LogicalLines(text, file: file)
        dockerfile = Dockerfile(file: file, escape: lines.escape)
        diagnostics = lines.diagnostics
        position = SourcePosition(file: file, line: 1, column: 1)
    }

    var escape: Character { lines.escape }

    mutating func parse() {
        for line in lines.lines {
            position = SourcePosition(file: dockerfile.file, line: line.firstLine, column: line.column)
            parse(line)
        }
        if dockerfile.stages.isEmpty && !diagnostics.hasErrors {
            position = SourcePosition(file: dockerfile.file, line: 1, column: 1)
            report(
                "dockerfile.no-stage",
                "the Dockerfile has no FROM",
                hint: "begin with FROM and an image's name"
            )
        }
    }

    mutating func report(_ code: String, _ message: String, hint: String? = nil) {
        diagnostics.append(.error(code, message, position, hint: hint))
    }

    private mutating func parse(_ line: LogicalLine) {
        let keyword = line.text.prefix { !$0.isWhitespace }
        let name = keyword.uppercased()
        guard Self.keywords.contains(name) else {
            let near = nearest(name, to: Self.keywords)
            return report(
                "dockerfile.unknown-instruction",
                "unknown instruction \(keyword)",
                hint: near.map { "did you mean \($0)?" }
            )
        }
        let words = InstructionText(
            line.text.dropFirst(keyword.count).trimmed,
            heredocs: line.heredocs,
            escape: escape
        )
        if name == "FROM" { return parseFrom(words, text: line.text) }
        if dockerfile.stages.isEmpty {
            guard name == "ARG" else {
                return report(
                    "dockerfile.no-stage",
                    "\(name) comes before the first FROM",
                    hint: "only ARG may"
                )
            }
            dockerfile.arguments += argumentDeclarations(words)
            return
        }
        guard let kind = kind(name, words) else { return }
        dockerfile.stages[dockerfile.stages.count - 1].instructions.append(
            Instruction(kind, position: position, lastLine: line.lastLine, text: line.text)
        )
    }

    private mutating func kind(_ name: String, _ text: InstructionText) -> Instruction.Kind? {
        if name == "MAINTAINER" {
            diagnostics.append(
                .warning(
                    "dockerfile.deprecated",
                    "MAINTAINER is deprecated and does nothing here",
                    position,
                    hint: "use LABEL org.opencontainers.image.authors=…"
                )
            )
            return nil
        }
        if text.rest.isEmpty && text.flags.isEmpty && name != "CMD" && name != "ENTRYPOINT" {
            report("dockerfile.syntax", "\(name) needs an argument")
            return nil
        }
        switch name {
        case "ARG": return .argument(argumentDeclarations(text))
        case "ENV": return namesAndValues(name, text).map { .environment($0) }
        case "LABEL": return namesAndValues(name, text).map { .label($0) }
        case "WORKDIR": return withoutFlags(name, text) ? .workingDirectory(String(text.rest)) : nil
        case "COPY", "ADD": return copy(name, text)
        case "RUN": return run(text)
        case "USER": return withoutFlags(name, text) ? .user(String(text.rest)) : nil
        case "EXPOSE": return withoutFlags(name, text) ? .expose(text.words) : nil
        case "VOLUME": return withoutFlags(name, text) ? .volume(text.json ?? text.words) : nil
        case "CMD": return withoutFlags(name, text) ? .command(text.command) : nil
        case "ENTRYPOINT": return withoutFlags(name, text) ? .entrypoint(text.command) : nil
        case "HEALTHCHECK": return healthcheck(text)
        case "SHELL": return shell(text)
        case "STOPSIGNAL": return withoutFlags(name, text) ? .stopSignal(String(text.rest)) : nil
        default:
            report(
                "dockerfile.unsupported",
                "\(name) is not supported yet",
                hint: "put its instruction into the Dockerfiles that build on this image"
            )
            return nil
        }
    }

    private mutating func parseFrom(_ text: InstructionText, text line: String) {
        for flag in text.flags {
            report(
                "dockerfile.unsupported",
                "FROM \(flag) is not supported yet",
                hint: "images are built for this machine's platform; leave it out"
            )
        }
        let words = text.words
        var name: String?
        if words.count == 3, words[1].uppercased() == "AS" {
            name = words[2].lowercased()
            if !isStageName(words[2]) {
                report(
                    "dockerfile.stage-name",
                    "\"\(words[2])\" can't be a stage's name",
                    hint: "use letters, digits, '-', '_' and '.', starting with a letter"
                )
            } else if dockerfile.stages.contains(where: { $0.name == name }) {
                report("dockerfile.stage-name", "there is already a stage \"\(words[2])\"")
            }
        } else if words.count != 1 {
            report("dockerfile.syntax", "FROM needs one image, or one image AS a name")
        }
        dockerfile.stages.append(
            BuildStage(
                index: dockerfile.stages.count,
                name: name,
                base: words.first ?? "scratch",
                position: position,
                text: line
            )
        )
    }

    private func isStageName(_ text: String) -> Bool {
        guard let first = text.first, first.isASCII, first.isLetter else { return false }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }

    mutating func withoutFlags(_ name: String, _ text: InstructionText) -> Bool {
        guard let flag = text.flags.first else { return true }
        report("dockerfile.flag", "\(name) has no flag \(flag)")
        return false
    }
}

/// What follows an instruction's name.
struct InstructionText {
    /// `--name=value`, as written.
    let flags: [String]
    let rest: Substring
    let heredocs: [Heredoc]
    let escape: Character

    init(_ text: Substring, heredocs: [Heredoc], escape: Character) {
        var flags: [String] = []
        var rest = text
        while rest.hasPrefix("--"),
            let word = splitWords(rest.prefix { !$0.isWhitespace }, escape: escape).first,
            word != "--", word.dropFirst(2).first?.isLetter == true
        {
            flags.append(word)
            rest = rest.dropFirst(word.count).trimmed
        }
        self.flags = flags
        self.rest = rest
        self.heredocs = heredocs
        self.escape = escape
    }

    var words: [String] { splitWords(rest, escape: escape) }
    /// `nil` where it isn't the JSON form.
    var json: [String]? { rest.first == "[" ? parseStringArray(rest) : nil }
    var command: CommandLine { json.map { .exec($0) } ?? .shell(String(rest)) }
}
