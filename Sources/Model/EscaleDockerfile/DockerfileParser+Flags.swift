import EscaleCore

extension DockerfileParser {
    /// The flags that an instruction has; reports the others, and those given twice.
    ///
    /// - Parameter repeatable: the ones that may be given more than once.
    mutating func checkedFlags(
        _ text: InstructionText,
        of name: String,
        known: [String],
        repeatable: Set<String> = []
    ) -> [Flag] {
        var seen: Set<String> = []
        return text.flags.filter { flag in
            guard known.contains(flag.name) else {
                refuse(flag, of: name, known: known)
                return false
            }
            guard seen.insert(flag.name).inserted || repeatable.contains(flag.name) else {
                report("dockerfile.flag", "\(name) has \(flag.name) twice", at: flag.start)
                return false
            }
            return true
        }
    }

    /// Whether a flag's quote is still open, which makes the rest of the instruction a part of it.
    mutating func hasOpenQuote(_ text: InstructionText, of name: String) -> Bool {
        guard let flag = text.flags.first(where: \.isUnclosed) else { return false }
        report("dockerfile.flag", "a quote in \(name) \(flag.name) is not closed", at: flag.start)
        return true
    }

    /// Whether the instruction, which knows none, has no flags.
    mutating func withoutFlags(_ name: String, _ text: InstructionText) -> Bool {
        checkedFlags(text, of: name, known: []).isEmpty && text.flags.isEmpty
    }

    private mutating func refuse(_ flag: Flag, of name: String, known: [String]) {
        let homes = ["--from": "COPY", "--parents": "COPY", "--platform": "FROM", "--mount": "RUN"]
        let addOnly = ["--checksum", "--keep-git-dir", "--unpack"]
        var hint = nearest(flag.name, to: known).map { "did you mean \($0)?" }
        if let home = homes[flag.name] ?? (addOnly.contains(flag.name) ? "ADD" : nil) {
            hint = "it is a flag of \(home)"
        } else if known.isEmpty {
            hint = "\(name) has no flags at all"
        }
        report("dockerfile.flag", "\(name) has no flag \(flag.name)", at: flag.start, hint: hint)
    }

    /// Reports a flag that has no value, or an empty one.
    mutating func value(of flag: Flag, of name: String) -> String? {
        if let value = flag.value, !value.isEmpty { return value }
        report(
            "dockerfile.flag",
            "\(name) \(flag.name) needs a value",
            at: flag.start,
            hint: "write \(flag.name)=value"
        )
        return nil
    }

    /// `--flag` alone is true.
    mutating func boolean(of flag: Flag, of name: String) -> Bool? {
        guard let text = flag.value else { return true }
        if let value = Bool(goText: text) { return value }
        report(
            "dockerfile.flag",
            "\(name) \(flag.name) is true or false, not \"\(text)\"",
            at: flag.place(ofValue: 0)
        )
        return nil
    }

    /// Reports a value that isn't one of a few.
    mutating func choice(of flag: Flag, of name: String, from choices: [String]) -> String? {
        guard let value = value(of: flag, of: name) else { return nil }
        if choices.contains(value) { return value }
        report(
            "dockerfile.flag",
            "\(name) \(flag.name) can't be \"\(value)\"",
            at: flag.place(ofValue: 0),
            hint: nearest(value, to: choices).map { "did you mean \($0)?" } ?? "it is \(spokenList(choices))"
        )
        return nil
    }
}

/// `a, b or c`
func spokenList(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
}
