import EscaleCore

/// Reads a command's words by its table of flags. Does no I/O.
struct FlagParser<Options> {
    let flags: [Flag<Options>]
    /// Flags that Docker Compose has and Escale doesn't yet.
    var unavailable: [Unavailable] = []
    /// Whether everything from the first operand on is left alone, as for `exec`.
    var stopsAtOperand = false
    /// The command as it was typed, for messages: `escale up`.
    let command: String

    enum Outcome {
        case parsed(Options, operands: [String])
        case help
    }

    func parse(_ words: [String], into initial: Options) throws -> Outcome {
        var options = initial
        var operands: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                operands += rest
                break
            } else if word.hasPrefix("--") {
                if try takeLong(word.dropFirst(2), &rest, &options) { return .help }
            } else if word.hasPrefix("-") && word != "-" {
                if try takeShort(word.dropFirst(), &rest, &options) { return .help }
            } else {
                operands.append(word)
                if stopsAtOperand {
                    operands += rest
                    break
                }
            }
        }
        return .parsed(options, operands: operands)
    }

    /// Takes `name` or `name=value`; `true` where help was asked for.
    private func takeLong(_ word: Substring, _ rest: inout ArraySlice<String>, _ options: inout Options)
        throws -> Bool
    {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let flag = flags.first(where: { $0.info.long == name }) else {
            if name == "help" { return true }
            throw unknown("--\(name)")
        }
        if parts.count == 2 {
            try apply(flag, "--\(name)", String(parts[1]), &options)
        } else if flag.info.value == nil {
            try apply(flag, "--\(name)", "true", &options)
        } else {
            try apply(flag, "--\(name)", try nextValue(of: flag, "--\(name)", &rest), &options)
        }
        return false
    }

    /// Takes a cluster such as `it`, `t5` or `n=5`; `true` where help was asked for.
    private func takeShort(_ word: Substring, _ rest: inout ArraySlice<String>, _ options: inout Options)
        throws -> Bool
    {
        var cluster = word
        while let letter = cluster.popFirst() {
            guard let flag = flags.first(where: { $0.info.short == letter }) else {
                if letter == "h" { return true }
                throw unknown("-\(letter)")
            }
            if flag.info.value == nil && cluster.first != "=" {
                try apply(flag, "-\(letter)", "true", &options)
                continue
            }
            let attached = cluster.first == "=" ? cluster.dropFirst() : cluster
            let isAttached = !cluster.isEmpty
            cluster = ""
            let value = isAttached ? String(attached) : try nextValue(of: flag, "-\(letter)", &rest)
            try apply(flag, "-\(letter)", value, &options)
        }
        return false
    }

    private func nextValue(of flag: Flag<Options>, _ name: String, _ rest: inout ArraySlice<String>) throws
        -> String
    {
        guard let value = rest.popFirst() else {
            throw usage("\(name) needs a value: \(name) \(flag.info.value ?? "VALUE")")
        }
        return value
    }

    private func apply(_ flag: Flag<Options>, _ name: String, _ value: String, _ options: inout Options)
        throws
    {
        do {
            try flag.apply(&options, value)
        } catch let error as EscaleError where error.code == .usage {
            throw usage("invalid value \"\(value)\" for \(name): \(error.message)", hint: error.hint)
        }
    }

    private func unknown(_ name: String) -> EscaleError {
        if let known = unavailable.first(where: { $0.matches(name) }) { return known.error(in: command) }
        let isGlobal = GlobalOptions.flags.map(\.info).contains {
            "--\($0.long)" == name || $0.short.map { "-\($0)" } == name
        }
        if isGlobal && command != EscaleCLI.name {
            let verb = command.dropFirst(EscaleCLI.name.count + 1)
            return usage(
                "unknown flag \(name)",
                hint: "it is a global flag and goes before the command: `\(EscaleCLI.name) \(name) … \(verb)`"
            )
        }
        let similar =
            name.hasPrefix("--") ? closest(to: name, in: flags.map { "--\($0.info.long)" } + ["--help"]) : nil
        return usage("unknown flag \(name)", hint: similar.map { "did you mean \($0)?" })
    }

    private func usage(_ message: String, hint: String? = nil) -> EscaleError {
        EscaleError(.usage, message, hint: hint ?? "see `\(command) --help`")
    }
}
