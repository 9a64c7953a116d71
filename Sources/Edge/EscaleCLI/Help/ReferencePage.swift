/// `docs/reference/cli.md`, from the same tables as parsing and help. A test compares the checked-in page with it.
package enum ReferencePage {
    package static func markdown() -> String {
        var text = """
            # Command line

            <!-- Written by the tests from the commands' own tables: UPDATE_GOLDEN=1 swift test --filter ReferencePage -->

            `escale [OPTIONS] COMMAND`. Verbs and flags are those of `docker compose`.

            Results go to standard output, progress and messages to standard error. Colours and moving progress need
            a terminal; `NO_COLOR` turns colours off.

            | exit code | meaning |
            |---|---|
            | 0 | done |
            | 1 | failed |
            | 2 | wrong usage |
            | 130 | interrupted by Ctrl-C |

            `exec` ends with the exit code of the command that it ran.

            ## Global options

            They come before the command.

            \(table(GlobalOptions.flags.map(\.info)))
            With `--progress json` each event is a line of JSON on standard error: `subject`, `state` (`working`, `done`,
            `failed`, `warning`, `output`), `text`, `reason` (where there is one) and `at` (RFC 3339).

            With `-p` and without `-f`, the commands that only look at what runs (`ps`, `logs`, `exec`, `stop`, `down`,
            `release …`, `rollback`, …) need no compose file.

            `--format yaml` prints what `--format json` does.

            Of docker compose's, not available yet: \(unavailable(GlobalOptions.unavailable)).

            ## Commands


            """
        for entry in CommandTable.commands { text += section(entry) }
        text += "## Commands that are not available yet\n\n| command | instead |\n|---|---|\n"
        for command in Unavailable.commands { text += "| `\(command.name)` | \(command.instead ?? "—") |\n" }
        return text
    }

    private static func section(_ entry: CommandEntry) -> String {
        var text = "### \(entry.command)\n\n\(entry.summary).\n\n```\n\(HelpText.usage(entry))\n```\n\n"
        if let details = entry.details { text += HelpText.wrapped(details, 110) + "\n\n" }
        if !entry.flags.isEmpty { text += table(entry.flags) + "\n" }
        if !entry.fields.isEmpty {
            text += "With `--format json`:\n\n| name | meaning |\n|---|---|\n"
            text += entry.fields.map { "| `\($0.name)` | \($0.meaning) |\n" }.joined() + "\n"
        }
        if !entry.unavailable.isEmpty {
            text += "Of docker compose's, not available yet: \(unavailable(entry.unavailable)).\n\n"
        }
        return text
    }

    private static func table(_ flags: [FlagInfo]) -> String {
        "| option | meaning |\n|---|---|\n"
            + flags.map { flag in
                let signature = flag.signature.drop { $0 == " " }.replacing("|", with: "\\|")
                return "| `\(signature)` | \(flag.help) |\n"
            }.joined()
    }

    private static func unavailable(_ list: [Unavailable]) -> String {
        list.map { "`\($0.name)`" + ($0.instead.map { " (\($0))" } ?? "") }.joined(separator: ", ")
    }
}

extension ReferencePage {
    /// The commands that it is about.
    package static var commands: [CommandEntry] { CommandTable.commands }

    /// The names that it promises for a command's JSON output.
    package static func fields(of path: [String]) -> [String] {
        commands.first { $0.path == path }?.fields.map(\.name) ?? []
    }
}
