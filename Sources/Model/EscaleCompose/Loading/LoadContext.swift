import EscaleCore
import EscaleYAML

/// What the phases of one load share: the problems found, where things were written, and the surroundings.
final class LoadContext {
    let workingDirectory: String
    let fileSystem: ComposeFileSystem
    /// The shell's variables.
    let shell: [String: String]
    /// The shell's and those of the environment files.
    var variables: [String: String]
    /// Relative paths in the project's own compose files are relative to it.
    var projectDirectory: String
    /// Whether relative paths are made absolute.
    var resolvesPaths = true
    /// What included files and files that are extended stand in, by the name that positions use.
    private var scopes: [String: FileScope] = [:]
    /// The compose files, absolute, in the order of reading.
    private(set) var composeFiles: [String] = []
    /// Which services the load is about.
    var selection = ProfileSelection(of: nil, active: [], selected: [])
    var history = LoadHistory()
    /// By name.
    var variableUses: [String: VariableUse] = [:]
    private var knownLines: [String: [Substring]] = [:]
    private var budget = LoadBudget()
    /// Services that were read and are left out.
    var inactiveServices: [Service] = []
    /// Whether a service is being read that is left out: what only matters where it runs isn't reported.
    var isReadingInactive = false
    /// Texts of the files that were read, by the name that positions use.
    private(set) var sources: [String: String] = [:]
    /// Where the parts of the project are written.
    var places: [Place: SourcePosition] = [:]
    /// Dependencies that follow from another attribute than `depends_on`: which one.
    var impliedDependencies: [Place: String] = [:]
    /// In the order of the file.
    var publishedPorts: [PublishedPort] = []
    /// Values that could not be made out; what else seems wrong with them follows from that and isn't reported.
    private var broken: Set<SourcePosition> = []
    private(set) var diagnostics: [Diagnostic] = []
    /// Whether what Escale refuses is only warned of: for a look at the project.
    var toleratesUnsupported = false

    init(workingDirectory: String, shell: [String: String], fileSystem: ComposeFileSystem) {
        self.workingDirectory = workingDirectory
        self.fileSystem = fileSystem
        self.shell = shell
        variables = shell
        projectDirectory = workingDirectory
    }

    /// Reports an error, unless the value at the position is already known to be ``spoil(_:)``ed.
    func error(_ code: String, _ message: String, at position: SourcePosition?, hint: String? = nil) {
        add(.error, code, message, at: position, hint: hint)
    }

    func warning(_ code: String, _ message: String, at position: SourcePosition?, hint: String? = nil) {
        add(.warning, code, message, at: position, hint: hint)
    }

    /// Reports the second of two `KEY=value` items of one list; it is the one that counts, as with Docker Compose.
    func warnOfTwo(_ key: String, in path: String, at position: SourcePosition) {
        warning(
            "compose.key.duplicate", "\(path): \"\(key)\" is given twice; this one counts", at: position,
            hint: "remove the other")
    }

    /// Reports what a file may ask for and Escale doesn't do, where running without it would not be the same.
    func refuse(_ message: String, at position: SourcePosition?, hint: String) {
        add(
            toleratesUnsupported ? .warning : .error,
            "compose.attribute.unsupported",
            message,
            at: position,
            hint: hint
        )
    }

    private func add(
        _ severity: Diagnostic.Severity,
        _ code: String,
        _ message: String,
        at position: SourcePosition?,
        hint: String?
    ) {
        if let position, broken.contains(position), !code.hasPrefix("compose.variable.") { return }
        if isReadingInactive, Self.codesOfRunning.contains(where: code.hasPrefix) { return }
        diagnostics.append(Diagnostic(severity, .init(code), message, at: position, hint: hint))
    }

    /// Codes of what only matters for a service that runs.
    private static let codesOfRunning = [
        "compose.attribute.unsupported", "compose.env-file.", "compose.label-file.",
    ]

    func add(_ more: [Diagnostic]) { diagnostics += more }

    /// Silences later problems with the value at the position.
    func spoil(_ position: SourcePosition) { broken.insert(position) }

    // MARK: Files

    /// The name of a file in positions and messages.
    func display(_ path: String) -> String {
        path == Self.standardInput ? "<stdin>" : ComposePath.display(path, from: workingDirectory)
    }

    /// How a command line names standard input.
    static let standardInput = "-"

    /// What the file stands in that a position names.
    func scope(of position: SourcePosition) -> FileScope {
        scopes[position.file] ?? ownScope
    }

    private var ownScope: FileScope { FileScope(directory: projectDirectory, variables: variables) }

    /// A path made absolute against a directory, `~` meaning the home directory; `nil` for a `~` that names none.
    func absolute(_ path: String, in directory: String) -> String? {
        guard path.hasPrefix("~") else { return ComposePath.absolute(path, in: directory) }
        guard path == "~" || path.hasPrefix("~/"), let home = variables["HOME"], !home.isEmpty else {
            return nil
        }
        return ComposePath.clean(home + path.dropFirst())
    }

    /// Notes a compose file before it is read.
    ///
    /// - Parameter scope: What the file stands in; `nil` for the project's own.
    /// - Returns: How positions name it: not always by ``display(_:)``, since one file may be read in several scopes.
    func open(_ path: String, as reason: LoadHistory.Reason, in scope: FileScope?) -> String {
        composeFiles.append(path)
        var shown = display(path)
        if let scope {
            let isTaken = { (name: String) in
                self.sources[name] != nil && (self.scopes[name] ?? self.ownScope) != scope
            }
            if isTaken(shown) { shown = path }
            while isTaken(shown) { shown = "/." + shown }
            scopes[shown] = scope
        }
        history.note(file: shown, reason)
        return shown
    }

    /// What became of ``text(ofFile:)``.
    enum TextReading {
        case text(String)
        case missing
        case failed(String)
        /// Already among the diagnostics.
        case reported
    }

    /// The text of a file, kept for excerpts. What is not UTF-8 is reported here.
    ///
    /// - Parameter name: How positions name the file, where that is not ``display(_:)``.
    func text(ofFile path: String, shown name: String? = nil) -> TextReading {
        let name = name ?? display(path)
        if let known = sources[name] { return .text(known) }
        return isExhausted ? .reported : text(fileSystem.read(path), shown: name)
    }

    /// The text of a file of variables or labels.
    func environmentText(ofFile path: String) -> TextReading {
        let reading = text(ofFile: path)
        guard case .text(let text) = reading else { return reading }
        if text.utf8.count > Self.mostEnvironmentBytes {
            return .failed("it is larger than \(Self.mostEnvironmentBytes >> 20) MiB")
        }
        // No variable of a program can hold one.
        return text.utf8.contains(0) ? .failed("it holds a NUL character") : reading
    }

    private static let mostEnvironmentBytes = 2 << 20

    /// The text of what was read.
    func text(_ reading: ComposeFileSystem.Reading, shown name: String) -> TextReading {
        switch reading {
        case .missing: return .missing
        case .failed(let reason): return .failed(reason)
        case .contents(let bytes):
            guard spend(.fileBytes(bytes.count), at: nil) else { return .reported }
            switch YAMLDocument.decode(bytes: bytes, file: name) {
            case .success(let text):
                sources[name] = text
                return .text(text)
            case .failure(let refusal):
                add([refusal.diagnostic])
                return .reported
            }
        }
    }

    /// Notes that a compose file uses a variable.
    func note(_ use: VariableUse) {
        var known = variableUses[use.name] ?? VariableUse(name: use.name)
        known.isRequired = known.isRequired || use.isRequired
        known.defaultValue = known.defaultValue ?? use.defaultValue
        known.alternateValue = known.alternateValue ?? use.alternateValue
        variableUses[use.name] = known
    }

    /// The lines of a file that was read, by the name that positions use.
    func lines(of name: String) -> [Substring] {
        if let known = knownLines[name] { return known }
        let lines = sources[name].map { YAMLDocument.lines(of: $0) } ?? []
        knownLines[name] = lines
        return lines
    }

    // MARK: Limits

    /// Counts what a project costs; reports once that it is too much.
    ///
    /// - Returns: Whether there is still room.
    func spend(_ cost: LoadBudget.Cost, at position: SourcePosition?) -> Bool {
        if let excess = budget.spend(cost) {
            error(
                "compose.limit",
                "the project \(excess)",
                at: position,
                hint: "services that extend one another, includes and aliases multiply; repeat less"
            )
        }
        return !budget.isExceeded
    }

    /// Whether too much was asked for, which is reported.
    var isExhausted: Bool { budget.isExceeded }
}
