import EscaleCompose
import EscaleCore
import EscaleYAML

/// Something that a load of any input must never do.
package struct FuzzFault: Sendable, CustomStringConvertible {
    /// The same for all inputs that most likely have the same cause.
    package let cause: String
    let details: String

    package var description: String { details.isEmpty ? cause : "\(cause)\n\(details)" }
}

/// What must hold for a load of any input.
package enum FuzzCheck {
    /// What is wrong with what the loader made of the input; `nil` where everything is as it should be.
    package static func fault(of input: FuzzInput) -> FuzzFault? {
        let loaded = input.loader.load()
        let diagnostics = loaded.diagnostics
        guard (loaded.project == nil) == diagnostics.hasErrors else {
            let cause = loaded.project == nil ? "neither a project nor an error" : "a project beside errors"
            return FuzzFault(cause: cause, details: "")
        }
        if let fault = misplaced(diagnostics, loaded.sources) { return fault }
        guard let project = loaded.project else { return nil }
        if input.kind == .hostile { return FuzzFault(cause: "it was not refused", details: "") }
        return unstable(project)
    }

    /// A diagnostic whose place is not in its file, so that no excerpt can be shown.
    private static func misplaced(_ diagnostics: [Diagnostic], _ sources: [String: String]) -> FuzzFault? {
        var lines: [String: [Substring]] = [:]
        for diagnostic in diagnostics {
            // What is no text has no excerpt.
            guard let position = diagnostic.position, let source = sources[position.file] else { continue }
            let text = lines[position.file] ?? YAMLDocument.lines(of: source)
            lines[position.file] = text
            guard text.indices.contains(position.line - 1),
                position.column <= text[position.line - 1].unicodeScalars.count + 1
            else {
                return FuzzFault(cause: "no such place: \(diagnostic.code)", details: diagnostic.rendered())
            }
        }
        return nil
    }

    /// The canonical form must load, to what prints the same.
    private static func unstable(_ project: Project) -> FuzzFault? {
        // Where every service is left out for its profiles, nothing is there to load.
        guard !project.services.isEmpty else { return nil }
        let text = ProjectRenderer.yaml(project)
        var files = ["\(project.workingDirectory)/compose.yaml": text]
        let shared = project.secrets + (project.configs ?? [])
        for file in shared.compactMap(\.file) { files[file] = "x" }
        var loader = ComposeLoader(workingDirectory: project.workingDirectory, fileSystem: .memory(files))
        for file in shared { if let name = file.environment { loader.environment[name] = file.content } }
        loader.profiles = ["*"]
        let again = loader.load()
        guard let second = again.project else {
            let errors = again.diagnostics.filter { $0.severity == .error }
            return FuzzFault(
                cause: "its canonical form does not load: \(errors.first?.code.rawValue ?? "")",
                details: errors.map { $0.rendered() }.joined(separator: "\n") + "\n" + text
            )
        }
        let printed = ProjectRenderer.yaml(second)
        guard printed != text else { return nil }
        let lines = (text.split(separator: "\n"), printed.split(separator: "\n"))
        let first = zip(lines.0, lines.1).first { $0 != $1 }
        let key = first?.0.prefix { $0 != ":" }.drop { $0 == " " }
        return FuzzFault(
            cause: "its canonical form prints as another one: \(key ?? "")",
            details: "\(first?.0 ?? "")\nthen\n\(first?.1 ?? "")\nin\n\(text)"
        )
    }
}
