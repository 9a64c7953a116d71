import EscaleCompose
import EscaleCore
import EscaleSystem

/// `escale init`
enum Init: CLICommand {
    struct Options: CommandOptions {
        var kind: StarterKind?
        var base = StarterBase.debian
        var dryRun = false
    }

    static let path = ["init"]
    static let summary = "Write a compose file, a Dockerfile and a .dockerignore for the application in this directory"
    static let details: String? =
        "Knows Laravel, PHP, Django, Flask, other Python, Node and static sites by their files. Never overwrites: where one of "
        + "the files is there already, it writes none. Needs neither the daemon nor root."
    static let flags: [Flag<Options>] = [
        .choice("kind", \.kind, "What it is, instead of finding out"),
        .choice("base", \.base, "Build on debian:bookworm-slim, or on the language's official image"),
        .toggle("dry-run", nil, \.dryRun, "Print the files, write none"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let directory = ComposePath.absolute(session.globals.projectDirectory ?? ".", in: session.workingDirectory)
        let survey = try DirectorySurvey(directory)
        guard let kind = options.kind ?? StarterKind.recognised(in: survey) else { throw EscaleError.nothingRecognised(directory) }
        let starter = kind.starter(for: survey)
        let files = starter.files(on: options.base, named: ComposeLoader.projectName(ofDirectory: directory))
        session.console.print("\(survey.name) is \(starter.title): \(starter.evidence).", to: options.dryRun ? .error : .output)
        if options.dryRun {
            for file in files { session.console.write("==> \(file.name) <==\n\(file.text)\n") }
            return 0
        }
        if let there = survey.first(of: files.map(\.name) + ComposeLoader.fileNames) { throw EscaleError.alreadyThere(there, directory) }
        for file in files {
            try Files.write("\(directory)/\(file.name)", Array(file.text.utf8))
            session.console.print("  wrote \(file.name)")
        }
        session.console.write(next(starter, options.base))
        return 0
    }

    private static func next(_ starter: Starter, _ base: StarterBase) -> String {
        var text = "\nNext:\n"
        for note in starter.notes { text += "  \(note)\n" }
        if base == .debian {
            text += "  escale image bootstrap debian:bookworm-slim   once, where that image can't be pulled\n"
        }
        return text + "  escale up -d --build --wait                   then http://localhost:\(Starter.hostPort)\n"
    }
}

extension EscaleError {
    fileprivate static func nothingRecognised(_ directory: String) -> Self {
        Self(
            .init("init.unknown"),
            "no application was recognised in \(directory)",
            hint: "it looks for artisan, composer.json, manage.py, requirements.txt, pyproject.toml, package.json, *.php and "
                + "index.html; say what it is with --kind"
        )
    }

    fileprivate static func alreadyThere(_ name: String, _ directory: String) -> Self {
        Self(
            .init("init.exists"),
            "\(name) is in \(directory) already; nothing was written",
            hint: "see what it would write with `escale init --dry-run`, or move \(name) away first"
        )
    }
}
