import EscaleSystem

/// The lines of files that the user wrote, for excerpts in diagnostics.
enum SourceLines {
    /// `nil` where the file can't be read: the diagnostic then stands without its excerpt.
    static func read(_ path: String) -> [Substring]? {
        guard let text = try? Files.readText(path) else { return nil }
        return text.split(separator: "\n", omittingEmptySubsequences: false)
    }
}
