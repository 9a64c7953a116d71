/// What `--help` prints, from the tables.
enum HelpText {
    /// `escale --help`
    static func root() -> String {
        let single = CommandTable.commands.filter { $0.path.count == 1 }.map { ($0.path[0], $0.summary) }
        let groups = CommandTable.groups.map { ($0.name, $0.summary) }
        return """
            Usage:  escale [OPTIONS] COMMAND

            Run an application that a compose.yaml describes

            Options:
            \(flags(GlobalOptions.flags.map(\.info)))
            Commands:
            \(list(single))
            Objects:
            \(list(groups))
            Run 'escale COMMAND --help' for more about a command.

            """
    }

    /// `escale image --help`
    static func group(_ name: String) -> String {
        let members = CommandTable.commands(in: name).map { ($0.path[1], $0.summary) }
        let summary = CommandTable.groups.first { $0.name == name }?.summary ?? ""
        return """
            Usage:  escale \(name) COMMAND

            \(summary)

            Commands:
            \(list(members))
            Run 'escale \(name) COMMAND --help' for more about a command.

            """
    }

    /// `escale up --help`
    static func command(_ entry: CommandEntry) -> String {
        var text = "Usage:  \(usage(entry))\n\n\(entry.summary)\n"
        if let details = entry.details { text += "\n\(wrapped(details, 80))\n" }
        if !entry.flags.isEmpty { text += "\nOptions:\n\(flags(entry.flags))" }
        return text
    }

    /// `escale up [OPTIONS] [SERVICE...]`
    static func usage(_ entry: CommandEntry) -> String {
        entry.command + (entry.flags.isEmpty ? "" : " [OPTIONS]")
            + (entry.operands.usage.isEmpty ? "" : " \(entry.operands.usage)")
    }

    private static func flags(_ flags: [FlagInfo]) -> String {
        list(flags.map { ($0.signature, $0.help) })
    }

    /// Two columns with their line breaks; what is too wide for the first one stands on a line of its own.
    private static func list(_ rows: [(String, String)]) -> String {
        let limit = 32
        let width = rows.map(\.0.count).filter { $0 <= limit }.max() ?? 0
        return rows.map { name, help in
            let lead =
                name.count <= width
                ? DisplayWidth.pad(name, width) : name + "\n  " + String(repeating: " ", count: width)
            return "  \(lead)   \(help)\n"
        }.joined()
    }

    /// The text in lines of at most that many columns.
    static func wrapped(_ text: String, _ columns: Int) -> String {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + word.count + 1 <= columns {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines.joined(separator: "\n")
    }
}
