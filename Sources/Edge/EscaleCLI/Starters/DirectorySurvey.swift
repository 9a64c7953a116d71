import EscaleCompose
import EscaleSystem

/// What is in the directory that a project begins in. Only looks.
struct DirectorySurvey {
    private let directory: String
    private let names: [String]

    /// - Throws: `system.…` where the directory can't be listed.
    init(_ directory: String) throws {
        self.directory = directory
        names = try Files.list(directory)
    }

    /// The directory's own name.
    var name: String { ComposePath.baseName(of: directory) }

    /// Whether there is a file or directory of that path.
    func has(_ path: String) -> Bool { Files.exists("\(directory)/\(path)") }

    func first(of paths: [String]) -> String? { paths.first(where: has) }

    func isThere(endingIn suffix: String) -> Bool { names.contains { $0.hasSuffix(suffix) } }

    /// A file's text; `nil` where it is missing or is no text.
    func text(_ path: String) -> String? {
        // Whatever can't be read tells nothing about the project.
        has(path) ? try? Files.readText("\(directory)/\(path)") : nil
    }

    /// What stands in quotes after the mark, in the first line that has it.
    func quoted(after mark: String, in path: String) -> String? {
        guard let text = text(path), let found = text.firstRange(of: mark) else { return nil }
        let line = text[found.upperBound...].prefix { !$0.isNewline }
        let parts = line.split(omittingEmptySubsequences: false) { $0 == "'" || $0 == "\"" }
        // The mark may be quoted itself: then its closing quote comes first.
        return parts.dropFirst().first { part in part.contains { $0.isLetter || $0.isNumber } }.map(String.init)
    }
}
