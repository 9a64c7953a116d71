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
    /// Where the parts of the project are written, such as `services.web.depends_on.db`.
    var places: [String: SourcePosition] = [:]
    private(set) var diagnostics: [Diagnostic] = []

    init(workingDirectory: String, shell: [String: String], fileSystem: ComposeFileSystem) {
        self.workingDirectory = workingDirectory
        self.fileSystem = fileSystem
        self.shell = shell
        variables = shell
        projectDirectory = workingDirectory
    }

    func error(_ code: String, _ message: String, at position: SourcePosition?, hint: String? = nil) {
        diagnostics.append(Diagnostic(.error, .init(code), message, at: position, hint: hint))
    }

    func warning(_ code: String, _ message: String, at position: SourcePosition?, hint: String? = nil) {
        diagnostics.append(Diagnostic(.warning, .init(code), message, at: position, hint: hint))
    }

    func add(_ more: [Diagnostic]) { diagnostics += more }

    /// A path from a file of the user's, `~` meaning the home directory.
    func resolve(_ path: String) -> String {
        if path == "~" || path.hasPrefix("~/"), let home = variables["HOME"], !home.isEmpty {
            return ComposePath.clean(home + path.dropFirst())
        }
        return ComposePath.absolute(path, in: projectDirectory)
    }

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
