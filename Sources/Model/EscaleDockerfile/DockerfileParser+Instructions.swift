import EscaleCore

extension DockerfileParser {
    mutating func argumentDeclarations(_ text: InstructionText) -> [ArgumentDeclaration] {
        if !text.flags.isEmpty {
            _ = withoutFlags("ARG", text)
            return []
        }
        if text.rest.isEmpty { report("dockerfile.syntax", "ARG needs an argument") }
        return text.words.compactMap { word in
            let name = String(word.prefix { $0 != "=" })
            guard isVariableName(name) else {
                report("dockerfile.syntax", "\"\(name)\" is not a variable's name", at: word.startIndex)
                return nil
            }
            let value = word.count > name.count ? String(word.dropFirst(name.count + 1)) : nil
            return ArgumentDeclaration(name: name, value: value, position: position(of: word))
        }
    }

    private func isVariableName(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isLetter || $0.isNumber || "_-.".contains($0) }
    }

    /// `name=value …`, or the old form `name the rest`.
    mutating func namesAndValues(_ name: String, _ text: InstructionText) -> [NameAndValue]? {
        let words = text.words
        guard let first = words.first else { return nil }
        if !first.contains("=") {
            let value = text.rest[first.endIndex...].trimmed
            guard !value.isEmpty else {
                report(
                    "dockerfile.syntax",
                    "\(name) \(first) needs a value",
                    at: first.startIndex,
                    hint: "write \(name) \(first)=value"
                )
                return nil
            }
            return [NameAndValue(String(first), String(value))]
        }
        var pairs: [NameAndValue] = []
        for word in words {
            guard let equals = word.firstIndex(of: "=") else {
                report(
                    "dockerfile.syntax",
                    "\(name) has \"\(word)\" where name=value is wanted",
                    at: word.startIndex,
                    hint: "quote a value that has blanks in it"
                )
                return nil
            }
            guard equals != word.startIndex else {
                report("dockerfile.syntax", "\(name) has no name before \(word)", at: word.startIndex)
                return nil
            }
            pairs.append(NameAndValue(String(word[..<equals]), String(word[word.index(after: equals)...])))
        }
        return pairs
    }

    mutating func volume(_ text: InstructionText) -> Instruction.Kind? {
        warnAboutBrokenJSON(text.rest)
        let paths = text.json ?? text.words.map(String.init)
        guard !paths.isEmpty, !paths.contains(where: { $0.trimmed.isEmpty }) else {
            report(
                "dockerfile.syntax",
                paths.isEmpty ? "VOLUME needs a path" : "VOLUME has an empty path",
                hint: "write it like VOLUME /data"
            )
            return nil
        }
        return .volume(paths)
    }

    /// Of `CMD` and `ENTRYPOINT`.
    mutating func command(_ text: InstructionText) -> CommandLine {
        warnAboutBrokenJSON(text.rest)
        return text.command
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
}

// MARK: - HEALTHCHECK

extension DockerfileParser {
    private static let healthcheckFlags = [
        "--interval", "--timeout", "--start-period", "--start-interval", "--retries",
    ]

    mutating func healthcheck(_ text: InstructionText) -> Instruction.Kind? {
        let flags = checkedFlags(text, of: "HEALTHCHECK", known: Self.healthcheckFlags)
        let keyword = text.rest.prefix { !$0.isWhitespace }
        let rest = text.rest[keyword.endIndex...].trimmed
        switch keyword.uppercased() {
        case "NONE" where rest.isEmpty && text.flags.isEmpty: return .healthcheck(.init(command: nil))
        case "NONE": report("dockerfile.syntax", "HEALTHCHECK NONE takes nothing else")
        case "CMD":
            // What follows CMD may begin with dashes itself.
            let line = rest.first == "[" ? parseStringArray(rest).map { CommandLine.exec($0) } : nil
            guard !rest.isEmpty, line != .exec([]) else {
                report("dockerfile.syntax", "HEALTHCHECK CMD needs a command", at: keyword.startIndex)
                return nil
            }
            warnAboutBrokenJSON(rest)
            var check = HealthcheckInstruction(command: line ?? .shell(String(rest)))
            for flag in flags { set(flag, in: &check) }
            return .healthcheck(check)
        default:
            report(
                "dockerfile.syntax",
                "HEALTHCHECK needs CMD and a command, or NONE",
                at: keyword.startIndex,
                hint: "write it like HEALTHCHECK CMD curl -f http://localhost/"
            )
        }
        return nil
    }

    private mutating func set(_ flag: Flag, in check: inout HealthcheckInstruction) {
        guard let value = value(of: flag, of: "HEALTHCHECK") else { return }
        if flag.name == "--retries" {
            guard let retries = Int(value), retries >= 0 else {
                return report(
                    "dockerfile.flag",
                    "HEALTHCHECK --retries is a number, not \"\(value)\"",
                    at: flag.place(ofValue: 0)
                )
            }
            check.retries = retries
            return
        }
        guard let duration = Duration(compose: value), duration == .zero || duration >= .milliseconds(1)
        else {
            return report(
                "dockerfile.flag",
                "HEALTHCHECK \(flag.name) is a duration of at least 1ms, or 0, not \"\(value)\"",
                at: flag.place(ofValue: 0),
                hint: "write it like \(flag.name)=1m30s"
            )
        }
        switch flag.name {
        case "--interval": check.interval = duration
        case "--timeout": check.timeout = duration
        case "--start-period": check.startPeriod = duration
        default: check.startInterval = duration
        }
    }
}
