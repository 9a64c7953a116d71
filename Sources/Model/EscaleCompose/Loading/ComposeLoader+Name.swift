import EscaleCore
import EscaleYAML

extension ComposeLoader {
    /// The project's name: `-p`, then `COMPOSE_PROJECT_NAME`, then the file's `name`, then the project directory's.
    ///
    /// - Parameter node: The file's `name` with its variables filled in.
    func name(given node: YAMLNode?, in context: LoadContext) -> ProjectName {
        var written: ProjectName?
        if let node, let text = Field(path: "name", node: node, context: context).filledText() {
            written = check(text, of: "name", at: node.position, context)
        }
        if let projectName {
            return check(projectName, of: "the project name given with -p", at: nil, context)
        }
        if let text = context.variables["COMPOSE_PROJECT_NAME"], !text.isEmpty {
            return check(text, of: "COMPOSE_PROJECT_NAME", at: nil, context)
        }
        if let written { return written }
        let base = ComposePath.baseName(of: context.projectDirectory)
        let name = Self.normalised(base)
        if !ProjectName.accepts(name), node == nil {
            context.error(
                "compose.name",
                "the directory \"\(base)\" makes no project name",
                at: nil,
                hint: "name the project with -p, or with `name:` at the top of the file"
            )
        }
        return ProjectName(rawValue: name)
    }

    private func check(
        _ text: String,
        of what: String,
        at position: SourcePosition?,
        _ context: LoadContext
    ) -> ProjectName {
        if !ProjectName.accepts(text) {
            context.error(
                "compose.name",
                "\(what): \"\(text)\" is not a valid project name",
                at: position,
                hint: "use up to 63 lower-case letters, digits, '-' and '_', beginning with a letter or digit"
                    + (ProjectName.accepts(Self.normalised(text)) ? ", such as \(Self.normalised(text))" : "")
            )
        }
        return ProjectName(rawValue: text)
    }

    /// The name of a project in that directory that has no other; `app` where the directory's name makes none.
    package static func projectName(ofDirectory path: String) -> String {
        let name = normalised(ComposePath.baseName(of: path))
        return ProjectName.accepts(name) ? name : "app"
    }

    /// Lower-case, without the characters that a project name can't have, as Docker Compose does it.
    static func normalised(_ text: String) -> String {
        let kept = text.lowercased().unicodeScalars.filter { scalar in
            switch scalar {
            case "a"..."z", "0"..."9", "-", "_": true
            default: false
            }
        }
        return String(String.UnicodeScalarView(kept.drop { $0 == "-" || $0 == "_" }))
    }
}
