import EscaleCore
import EscaleYAML

/// Turns compose files into a ``Project``: find, parse, interpolate, normalise, validate.
///
/// Every problem of a file is found in one run. Reads files and nothing else: it starts nothing, asks no network and
/// keeps no state.
package struct ComposeLoader: Sendable {
    /// Explicit files (`-f`); empty to look for one. Relative to ``workingDirectory``.
    package var files: [String]
    /// Where the command runs, absolute. Positions name files relative to it.
    package var workingDirectory: String
    /// What relative paths in the file are relative to; `nil` for the file's directory.
    package var projectDirectory: String?
    /// The name given with `-p`.
    package var projectName: String?
    /// Files given with `--env-file`; empty for the project directory's `.env`.
    package var environmentFiles: [String]
    /// The shell's variables.
    package var environment: [String: String]
    /// Where files are read from.
    package var fileSystem: ComposeFileSystem
    /// Whether attributes that Escale refuses (`compose.attribute.unsupported`) are warnings: for a look at the
    /// project, not for running it.
    package var toleratesUnsupported = false
    package var profiles: [String] = []
    package var selectedServices: [String] = []
    package var interpolates = true
    package var normalizes = true
    package var resolvesPaths = true

    package init(
        files: [String] = [],
        workingDirectory: String,
        projectDirectory: String? = nil,
        projectName: String? = nil,
        environmentFiles: [String] = [],
        environment: [String: String] = [:],
        fileSystem: ComposeFileSystem = .host
    ) {
        self.files = files
        self.workingDirectory = workingDirectory
        self.projectDirectory = projectDirectory
        self.projectName = projectName
        self.environmentFiles = environmentFiles
        self.environment = environment
        self.fileSystem = fileSystem
    }

    /// Loads the project; never throws, all that is wrong is in the diagnostics.
    ///
    /// - Returns: The project, `nil` if any diagnostic is an error; the diagnostics by position, codes `compose.…`
    ///   and `yaml.…`; and the texts of the files that were read, by the name that positions use. Split them with
    ///   `YAMLDocument.lines(of:)` for excerpts.
    package func load() -> LoadResult {
        let context = LoadContext(
            workingDirectory: ComposePath.clean(workingDirectory),
            shell: environment,
            fileSystem: fileSystem
        )
        var tree: YAMLNode?
        let project = project(in: context, &tree)
        let diagnostics = context.diagnostics.sortedByPosition()
        return LoadResult(
            project: diagnostics.hasErrors || !interpolates ? nil : project,
            diagnostics: diagnostics,
            sources: context.sources,
            tree: tree,
            environment: context.variables
        )
    }

    private func project(in context: LoadContext, _ tree: inout YAMLNode?) -> Project? {
        guard let file = findFile(in: context), let text = text(of: file, in: context) else { return nil }
        let shown = context.display(file)
        let (root, problems) = YAMLDocument.parse(text: text, file: shown)
        context.add(problems)
        for problem in problems { if let position = problem.position { context.spoil(position) } }
        guard let root else {
            if problems.isEmpty { reportEmpty(shown, in: context) }
            return nil
        }
        guard root.mapping != nil else {
            context.error(
                "compose.type",
                "\(shown) must be a mapping, not \(root.spokenKind)",
                at: root.position,
                hint: "a compose file begins with `services:`"
            )
            return nil
        }
        checkScalarsAndTags(of: root, in: context)
        let interpolation = Interpolation(context: context, text: text)
        let name = name(given: root.mapping?["name"].map(interpolation.apply), in: context)
        context.variables["COMPOSE_PROJECT_NAME"] = name.rawValue
        let reader = ProjectReader(context: context, name: name)
        let filled = interpolation.apply(to: root)
        tree = interpolates ? filled : root
        guard var project = reader.read(filled) else { return nil }
        project.files = [file]
        Validation(context: context, project: project).run()
        return project
    }

    private func text(of file: String, in context: LoadContext) -> String? {
        switch context.text(ofFile: file) {
        case .text(let text): return text
        case .reported: return nil
        case .failed(let reason):
            context.error(
                "compose.file.unreadable",
                "\(context.display(file)) can't be read: \(reason)",
                at: nil
            )
        case .missing:
            context.error(
                "compose.file.missing",
                "there is no file \(context.display(file))",
                at: nil,
                hint: "check the path after -f; it is relative to \(context.workingDirectory)"
            )
        }
        return nil
    }

    private func reportEmpty(_ file: String, in context: LoadContext) {
        context.error(
            "compose.file.empty",
            "\(file) is empty; a compose file needs `services:`",
            at: SourcePosition(file: file, line: 1, column: 1),
            hint: "the smallest one is: services: {web: {image: nginx}}"
        )
    }

    /// Tags say how to merge files, or make types that compose files don't have; no value of a program may hold NUL.
    private func checkScalarsAndTags(of node: YAMLNode, in context: LoadContext) {
        let core =
            ["str", "int", "bool", "float", "null", "map", "seq"].map { "tag:yaml.org,2002:" + $0 } + ["!"]
        if let tag = node.tag, !core.contains(tag) {
            let isMerging = tag == "!reset" || tag == "!override"
            context.error(
                "compose.tag",
                isMerging ? "the tag \(tag) is not supported yet" : "the tag \(tag) has no meaning here",
                at: node.position,
                hint: isMerging ? "it directs the merging of several files; remove it" : "remove it"
            )
        }
        switch node.content {
        case .scalar(let scalar):
            if scalar.text.utf8.contains(0) {
                context.error(
                    "compose.nul",
                    "the text holds a NUL character",
                    at: node.position,
                    hint: "remove the \\0"
                )
            }
        case .sequence(let items): for item in items { checkScalarsAndTags(of: item, in: context) }
        case .mapping(let mapping):
            for pair in mapping.pairs { checkScalarsAndTags(of: pair.value, in: context) }
        }
    }
}
