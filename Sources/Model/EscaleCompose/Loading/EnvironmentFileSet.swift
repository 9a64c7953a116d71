import EscaleCore

/// Environment files that give variables to a project or to one that is included.
struct EnvironmentFileSet {
    let context: LoadContext
    /// Absolute.
    let paths: [String]
    /// Where the files are asked for; `nil` for the command line.
    let position: SourcePosition?
    /// What to do about a file that is missing; `nil` for files that may be.
    let hint: String?

    /// The known variables and those of the files: what is known wins, then the last file.
    func variables(over known: [String: String]) -> [String: String] {
        var variables = known
        for path in paths {
            switch context.environmentText(ofFile: path) {
            case .text(let text):
                guard context.spend(.text(text.utf8.count), at: position) else { return variables }
                let entries = EnvironmentFile.parse(
                    text,
                    file: context.display(path),
                    outer: variables,
                    context: context
                )
                for entry in entries where known[entry.key] == nil {
                    if let value = entry.value { variables[entry.key] = value }
                }
            case .reported: break
            case .failed(let reason):
                context.error(
                    "compose.env-file.unreadable",
                    "\(context.display(path)) can't be read: \(reason)",
                    at: position
                )
            case .missing:
                guard let hint else { break }
                context.error(
                    "compose.env-file.missing",
                    "there is no file \(context.display(path))",
                    at: position,
                    hint: hint
                )
            }
        }
        return variables
    }
}
