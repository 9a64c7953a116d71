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
    /// Relative paths in the compose file are relative to it.
    var projectDirectory: String
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
        diagnostics.append(Diagnostic(severity, .init(code), message, at: position, hint: hint))
    }

    func add(_ more: [Diagnostic]) { diagnostics += more }

    /// Silences later problems with the value at the position.
    func spoil(_ position: SourcePosition) { broken.insert(position) }

    /// The name of a file in positions and messages.
    func display(_ path: String) -> String { ComposePath.display(path, from: workingDirectory) }

    /// What became of ``text(ofFile:)``.
    enum TextReading {
        case text(String)
        case missing
        case failed(String)
        /// Already among the diagnostics.
        case reported
    }

    /// The text of a file, kept for excerpts. What is not UTF-8 is reported here.
    func text(ofFile path: String) -> TextReading {
        switch fileSystem.read(path) {
        case .missing: return .missing
        case .failed(let reason): return .failed(reason)
        case .contents(let bytes):
            switch YAMLDocument.decode(bytes: bytes, file: display(path)) {
            case .success(let text):
                sources[display(path)] = text
                return .text(text)
            case .failure(let refusal):
                add([refusal.diagnostic])
                return .reported
            }
        }
    }
}
