import EscaleCompose
import EscaleCore
import EscaleSystem

/// `escale config`
enum Config: CLICommand {
    struct Options: CommandOptions {
        var format: Format?
        var quiet = false
        var strict = false
        var output: String?
        var explained: String?
        var hashed: String?
        var services = false
        var images = false
        var volumes = false
        var networks = false
        var profiles = false
        var environment = false
        var variables = false
        var noInterpolate = false
        var noNormalize = false
        var noPathResolution = false
        var resolveDigests = false
        var lockDigests = false
    }

    enum Format: String, CaseIterable, Sendable { case yaml, json }

    static let path = ["config"]
    static let summary = "Check the compose files and print what they come to"
    static let details: String? =
        "Needs neither the daemon nor root, but for images' digests. What `up` refuses is shown as a warning here. With "
        + "`--format json`, warnings and errors are a JSON array too: on standard error, with `--quiet` on standard output. "
        + "Each has `severity` (`error` or `warning`), `code` and `message`, and where they are known `file`, `line`, `column` "
        + "(from 1) and `hint`."
    static let flags: [Flag<Options>] = [
        .choice("format", \.format, "How to print"),
        .toggle("quiet", "q", \.quiet, "Only check, print nothing"),
        .toggle("strict", nil, \.strict, "Take every warning for an error"),
        .value("output", "o", "FILE", "Write to the file, not to standard output") { $0.output = $1 },
        .value("explain", nil, "KEY", "Tell where a value comes from, such as services.web.ports") { $0.explained = $1 },
        .toggle("services", nil, \.services, "Print only the services' names"),
        .toggle("images", nil, \.images, "Print only the images' names"),
        .toggle("volumes", nil, \.volumes, "Print only the volumes' names in the file"),
        .toggle("networks", nil, \.networks, "Print only the networks' names in the file"),
        .toggle("profiles", nil, \.profiles, "Print only the profiles' names, active or not"),
        .value("hash", nil, "SERVICE,…|*", "Print a hash of each service's settings") { $0.hashed = $1 },
        .toggle("environment", nil, \.environment, "Print what variables are looked up in"),
        .toggle("variables", nil, \.variables, "Print the variables that the files use, and their defaults"),
        .toggle("no-interpolate", nil, \.noInterpolate, "Leave variables as they are written"),
        .toggle("no-normalize", nil, \.noNormalize, "Print the merged files as they are written, without defaults"),
        .toggle("no-path-resolution", nil, \.noPathResolution, "Leave relative paths as they are written"),
        .toggle("resolve-image-digests", nil, \.resolveDigests, "Pin images to the digests that they have on this host"),
        .toggle("lock-image-digests", nil, \.lockDigests, "Print only the pinned images, as an override file"),
    ]
    static let unavailable = [
        Unavailable("--no-consistency"), Unavailable("--no-env-resolution"), Unavailable("--models"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        var loader = session.loader()
        loader.toleratesUnsupported = true
        loader.interpolates = !options.noInterpolate
        loader.normalizes = !options.noNormalize
        loader.resolvesPaths = !options.noPathResolution
        let loaded = loader.load()
        let diagnostics = loaded.diagnostics.map { $0.toleratedHere }.map { options.strict ? $0.strict : $0 }
        try show(diagnostics, of: loaded, options, in: session)
        if diagnostics.hasErrors {
            if options.format == .json { return 1 }
            throw EscaleError.invalidProject(diagnostics)
        }
        if options.quiet { return 0 }
        let text = try await ConfigOutput(options: options, loaded: loaded, session: session).text()
        if let output = options.output {
            try Files.write(ComposePath.absolute(output, in: session.workingDirectory), Array(text.utf8))
        } else {
            session.console.write(text)
        }
        return 0
    }

    private static func show(
        _ diagnostics: [Diagnostic],
        of loaded: LoadResult,
        _ options: Options,
        in session: Session
    ) throws {
        guard options.format == .json else { return session.show(diagnostics, sources: loaded.sources) }
        // An editor that asked for nothing else always gets a list.
        if options.quiet || !diagnostics.isEmpty {
            let text = try JSONText.pretty(diagnostics.map(DiagnosticRecord.init))
            session.console.write(text, to: options.quiet ? .output : .error)
        }
    }
}

extension Diagnostic {
    /// What is only a warning for a look at the project says that it is none for `up`.
    fileprivate var toleratedHere: Diagnostic {
        guard severity == .warning, code == .init("compose.attribute.unsupported") else { return self }
        return Diagnostic(.warning, code, "\(message); `escale up` refuses this", at: position, hint: hint)
    }

    /// The same as an error.
    fileprivate var strict: Diagnostic { Diagnostic(.error, code, message, at: position, hint: hint) }
}
