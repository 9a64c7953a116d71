import EscaleCore

/// Manual pages in roff: escale(1) from the table of commands, escaled(8).
enum ManualPage {
    static var escale: String {
        var page = head("ESCALE", 1, "escale", "run an application that a compose.yaml describes, without Docker")
        page += section("SYNOPSIS", ".B escale\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n")
        page += section(
            "DESCRIPTION",
            text(
                """
                Reads compose files and makes the host look like them: containers, networks, volumes, a gateway. Verbs and flags \
                are those of docker compose. What runs belongs to the daemon, escaled(8), which is started when it is needed.
                """))
        page += section("OPTIONS", text("They come before the command.") + flags(GlobalOptions.flags.map(\.info)))
        page += section("COMMANDS", CommandTable.commands.map(command).joined())
        page += section(
            "EXIT STATUS",
            items([
                ("0", "Done."), ("1", "Failed."), ("2", "Wrong usage."), ("130", "Interrupted by Ctrl-C."),
            ]) + text("`escale exec` and the like end with the exit code of the command that they ran."))
        page += section(
            "ENVIRONMENT",
            items([
                ("ESCALE_ROOT", "Directory for all of Escale's state, instead of the host's own."),
                ("COMPOSE_FILE, COMPOSE_PROJECT_NAME, COMPOSE_PROFILES, COMPOSE_ENV_FILES", "As with docker compose."),
                ("NO_COLOR", "Turns colours off."),
            ]))
        page += section(
            "FILES",
            items([
                ("compose.yaml", "What to run, in the current directory or above it."),
                ("/var/lib/escale", "Images, volumes, state, the output of containers."),
                ("/run/escale/escaled.sock", "The daemon's API, for root."),
            ]))
        return page + section("SEE ALSO", ".BR escaled (8)\n")
    }

    static var escaled: String {
        var page = head("ESCALED", 8, "escaled", "the daemon that runs Escale's containers")
        page += section("SYNOPSIS", ".B escaled\n[\\fB\\-\\-root\\fR \\fIDIRECTORY\\fR] [\\fB\\-\\-verbose\\fR] [\\fB\\-\\-version\\fR]\n")
        page += section(
            "DESCRIPTION",
            text(
                """
                Keeps the host as the projects ask for, and serves escale(1) on a Unix socket. Containers outlive it: when it ends, \
                is killed or is replaced by a newer one, they go on running, and the next one takes them up. After a boot it starts \
                those with the restart policies `always` and `unless-stopped` again.
                """)
                + text(
                    """
                    systemd starts it with the unit escale.service; `escale system install` sets that up. Without systemd, escale \
                    starts it when it is needed.
                    """))
        page += section(
            "OPTIONS",
            items([
                ("--root DIRECTORY", "Keep all state there; several daemons run side by side so. Also ESCALE_ROOT."),
                ("--verbose", "Log more."), ("--version", "Print the version and end."),
            ]))
        page += section("SIGNALS", items([("SIGTERM, SIGINT", "End; containers go on running.")]))
        page += section(
            "FILES",
            items([
                ("/var/lib/escale", "What must survive a boot."), ("/run/escale", "What a boot may take."),
                ("/var/lib/escale/escaled.log", "The log, where systemd doesn't keep it: `escale system logs`."),
            ]))
        return page + section("SEE ALSO", ".BR escale (1)\n")
    }

    // MARK: Pieces

    private static func head(_ title: String, _ number: Int, _ name: String, _ purpose: String) -> String {
        ".TH \(title) \(number) \"\" \"Escale \(Version.current)\"\n" + section("NAME", "\(name) \\- \(purpose)\n")
    }

    private static func section(_ title: String, _ body: String) -> String { ".SH \(title)\n\(body)" }

    private static func command(_ entry: CommandEntry) -> String {
        var body = ".SS \(escaped(HelpText.usage(entry)))\n" + text(entry.summary + ".")
        if let details = entry.details { body += text(details) }
        return body + flags(entry.flags)
    }

    private static func flags(_ flags: [FlagInfo]) -> String {
        items(flags.map { ($0.signature.trimmingPrefix { $0 == " " }.description, $0.help + ".") })
    }

    private static func items(_ items: [(String, String)]) -> String {
        items.map { ".TP\n.B \(escaped($0.0))\n\(line($0.1))\n" }.joined()
    }

    /// A paragraph.
    private static func text(_ words: String) -> String { ".PP\n\(line(words))\n" }

    /// A line that roff takes for no request; what stood in backquotes becomes bold.
    private static func line(_ words: String) -> String {
        let parts = words.split(separator: "`", omittingEmptySubsequences: false).map { escaped(String($0)) }
        let line = parts.enumerated().map { $0.offset % 2 == 1 ? "\\fB\($0.element)\\fR" : $0.element }.joined()
        return line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
    }
}
