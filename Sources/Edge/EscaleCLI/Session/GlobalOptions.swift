import EscaleCore

/// The flags that come before the command.
package struct GlobalOptions: CommandOptions {
    package enum ProgressMode: String, CaseIterable, Sendable { case auto, tty, plain, json, quiet }
    package enum AnsiMode: String, CaseIterable, Sendable { case auto, never, always }

    package var files: [String] = []
    package var projectName: String?
    package var environmentFiles: [String] = []
    package var profiles: [String] = []
    package var projectDirectory: String?
    package var progress = ProgressMode.auto
    package var ansi = AnsiMode.auto
    package var root: String?
    package var showVersion = false

    package init() {}

    package static let flags: [Flag<GlobalOptions>] = [
        .value("file", "f", "FILE", "Compose file, or - for standard input; several are merged in turn") {
            $0.files.append($1)
        },
        .value("project-name", "p", "NAME", "Project name, instead of the file's or its directory's") {
            $0.projectName = $1
        },
        .value("env-file", nil, "FILE", "Environment file instead of .env; may be given several times") {
            $0.environmentFiles.append($1)
        },
        .value("profile", nil, "NAME", "Profile to activate, * for all; may be given several times") {
            $0.profiles.append($1)
        },
        .value(
            "project-directory",
            nil,
            "DIR",
            "Directory that relative paths start from, instead of the file's"
        ) {
            $0.projectDirectory = $1
        },
        .choice("progress", \.progress, "How to show progress"),
        .choice("ansi", \.ansi, "When to use colours and control sequences"),
        .value("root", nil, "DIR", "Keep all of Escale's state under DIR (also ESCALE_ROOT)") {
            $0.root = $1
        },
        .toggle("version", "v", \.showVersion, "Show the version and exit"),
    ]

    package static let unavailable = [
        Unavailable("--parallel"),
        Unavailable("--compatibility"),
        Unavailable("--dry-run"),
        Unavailable("--all-resources"),
        Unavailable("--verbose"),
    ]
}
