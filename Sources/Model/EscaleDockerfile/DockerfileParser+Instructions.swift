import EscaleCore

extension DockerfileParser {
    mutating func argumentDeclarations(_ text: InstructionText) -> [ArgumentDeclaration] {
        guard withoutFlags("ARG", text) else { return [] }
        return text.words.compactMap { word in
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init
            )
            guard isVariableName(parts[0]) else {
                report("dockerfile.syntax", "\"\(parts[0])\" is not a variable's name")
                return nil
            }
            return ArgumentDeclaration(
                name: parts[0],
                value: parts.count > 1 ? parts[1] : nil,
                position: position
            )
        }
    }

    private func isVariableName(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isLetter || $0.isNumber || "_-.".contains($0) }
    }

    /// `name=value …`, or the old form `name the rest`.
    mutating func namesAndValues(_ name: String, _ text: InstructionText) -> [NameAndValue]? {
        guard withoutFlags(name, text) else { return nil }
        let words = text.words
        guard let first = words.first else { return nil }
        if !first.contains("=") {
            let value = text.rest.dropFirst(first.count).trimmed
            guard !value.isEmpty else {
                report(
                    "dockerfile.syntax",
                    "\(name) \(first) needs a value",
                    hint: "write \(name) \(first)=value"
                )
                return nil
            }
            return [NameAndValue(first, String(value))]
        }
        var pairs: [NameAndValue] = []
        for word in words {
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                report(
                    "dockerfile.syntax",
                    "\(name) has \"\(word)\" where name=value is wanted",
                    hint: "quote a value that has blanks in it"
                )
                return nil
            }
            pairs.append(NameAndValue(String(word[..<equals]), String(word[word.index(after: equals)...])))
        }
        return pairs
    }

    mutating func copy(_ name: String, _ text: InstructionText) -> Instruction.Kind? {
        var words = text.json ?? text.words
        guard let destination = words.popLast(), !words.isEmpty else {
            report("dockerfile.syntax", "\(name) needs at least a source and a destination")
            return nil
        }
        var heredocs = text.heredocs[...]
        let isJSON = text.json != nil
        let sources: [CopyInstruction.Source] = words.map { word in
            if !isJSON, let next = heredocs.first, next.word == word {
                heredocs.removeFirst()
                return .inline(next)
            }
            return .path(word)
        }
        var copy = CopyInstruction(isAdd: name == "ADD", sources: sources, destination: destination)
        for flag in text.flags { set(flag, of: name, in: &copy) }
        if copy.isAdd {
            for word in words where ["http://", "https://", "git@", "git://"].contains(where: word.hasPrefix)
            {
                report(
                    "dockerfile.unsupported",
                    "ADD can't fetch \(word) yet",
                    hint: "download it in a RUN, or put the file into the build context"
                )
            }
        }
        return .copy(copy)
    }

    private mutating func set(_ flag: String, of name: String, in copy: inout CopyInstruction) {
        let (key, value) = keyAndValue(flag)
        switch (key, value) {
        case ("--from", let value?) where !copy.isAdd: copy.from = value
        case ("--chown", let value?): copy.owner = value
        case ("--chmod", let value?): copy.mode = value
        case ("--from", nil), ("--chown", nil), ("--chmod", nil):
            report("dockerfile.flag", "\(name) \(key) needs a value", hint: "write \(key)=value")
        case ("--link", _):
            diagnostics.append(
                .warning("dockerfile.flag", "\(name) --link makes no difference here", position)
            )
        default:
            refuse(flag, of: name, known: (copy.isAdd ? [] : ["--from"]) + ["--chown", "--chmod", "--link"])
        }
    }

    /// A flag that Docker knows gets "not yet", any other "no such flag".
    private mutating func refuse(_ flag: String, of name: String, known: [String]) {
        let (key, _) = keyAndValue(flag)
        let later = [
            "--parents", "--exclude", "--checksum", "--keep-git-dir", "--unpack", "--mount", "--network",
            "--security",
            "--device",
        ]
        if later.contains(key) {
            let hint: String? =
                switch key {
                case "--mount": "leave the mount out: caches and secrets in RUN steps come later"
                case "--network": "leave it out: RUN steps have the builder's network"
                default: nil
                }
            report("dockerfile.unsupported", "\(name) \(key) is not supported yet", hint: hint)
        } else {
            report(
                "dockerfile.flag",
                "\(name) has no flag \(key)",
                hint: nearest(key, to: known).map { "did you mean \($0)?" }
            )
        }
    }

    private func keyAndValue(_ flag: String) -> (String, String?) {
        let parts = flag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init
        )
        return (parts[0], parts.count > 1 ? parts[1] : nil)
    }

    mutating func run(_ text: InstructionText) -> Instruction.Kind? {
        for flag in text.flags { refuse(flag, of: "RUN", known: []) }
        warnAboutBrokenJSON(text)
        let run = RunInstruction(text.command, heredocs: text.heredocs)
        if run.heredocs.count == 1, run.shellText?.hasPrefix("#!") == true {
            report(
                "dockerfile.unsupported",
                "a RUN script with a #! line is not supported yet",
                hint: "name the interpreter instead: RUN python3 <<EOF"
            )
        }
        return .run(run)
    }

    private mutating func warnAboutBrokenJSON(_ text: InstructionText) {
        guard text.rest.first == "[", text.json == nil,
            text.rest.hasPrefix("[\"") || text.rest.hasPrefix("['")
        else { return }
        diagnostics.append(
            .warning(
                "dockerfile.json",
                "this looks like the JSON form but is not JSON, so the shell gets it as it is",
                position,
                hint: "JSON strings have double quotes and no comma after the last one"
            )
        )
    }

    mutating func shell(_ text: InstructionText) -> Instruction.Kind? {
        guard let words = text.json, !words.isEmpty else {
            report(
                "dockerfile.syntax",
                "SHELL needs the JSON form",
                hint: "write it like SHELL [\"/bin/bash\", \"-c\"]"
            )
            return nil
        }
        return .shell(words)
    }

    mutating func healthcheck(_ text: InstructionText) -> Instruction.Kind? {
        let keyword = text.rest.prefix { !$0.isWhitespace }
        let rest = InstructionText(text.rest.dropFirst(keyword.count).trimmed, heredocs: [], escape: escape)
        switch keyword.uppercased() {
        case "NONE" where rest.rest.isEmpty && text.flags.isEmpty: return .healthcheck(.init(command: nil))
        case "NONE": report("dockerfile.syntax", "HEALTHCHECK NONE takes nothing else")
        case "CMD" where rest.rest.isEmpty: report("dockerfile.syntax", "HEALTHCHECK CMD needs a command")
        case "CMD":
            var check = HealthcheckInstruction(command: rest.command)
            for flag in text.flags { set(flag, in: &check) }
            return .healthcheck(check)
        default:
            report("dockerfile.syntax", "HEALTHCHECK needs CMD and a command, or NONE")
        }
        return nil
    }

    private mutating func set(_ flag: String, in check: inout HealthcheckInstruction) {
        let (key, value) = keyAndValue(flag)
        let names = ["--interval", "--timeout", "--start-period", "--start-interval", "--retries"]
        guard names.contains(key) else { return refuse(flag, of: "HEALTHCHECK", known: names) }
        if key == "--retries" {
            check.retries = value.flatMap { Int($0) }
            if check.retries.map({ $0 < 0 }) ?? true {
                report("dockerfile.flag", "HEALTHCHECK --retries needs a number")
            }
            return
        }
        guard let duration = value.flatMap({ Duration(compose: $0) }) else {
            return report(
                "dockerfile.flag",
                "HEALTHCHECK \(key) needs a duration",
                hint: "write it like \(key)=1m30s"
            )
        }
        switch key {
        case "--interval": check.interval = duration
        case "--timeout": check.timeout = duration
        case "--start-period": check.startPeriod = duration
        default: check.startInterval = duration
        }
    }
}
