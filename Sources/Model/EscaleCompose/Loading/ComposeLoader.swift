import EscaleCore
import EscaleYAML

/// Turns compose files into a ``Project``: find, parse, interpolate, extend, include, merge, normalise, validate.
///
/// Every problem of a file is found in one run. Reads files and nothing else: it starts nothing, asks no network and
/// keeps no state.
package struct ComposeLoader: Sendable {
    /// Explicit files (`-f`), each merged over those before it; `-` is standard input. Empty to look for one. Relative
    /// to ``workingDirectory``.
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

    /// Profiles asked for (`--profile`), `*` for every one; empty for those of `COMPOSE_PROFILES`.
    package var profiles: [String] = []
    /// Services that the command names: their profiles count as active.
    package var selectedServices: [String] = []
    /// What comes in on standard input; asked for once at most, for the file `-`.
    package var standardInput = ComposeFileSystem.standardInput
    /// What the command line says besides, as a compose file that is merged last; `nil` for nothing. Positions name it
    /// `command line`.
    package var commandLine: String?
    /// Whether variables are filled in. Without, there is a tree and no project.
    package var interpolates = true
    /// Whether ``LoadResult/tree`` gets what a project always has: its name and its default network.
    package var normalizes = true
    /// Whether relative paths are made absolute.
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
    package func load() -> LoadResult {
        let context = LoadContext(
            workingDirectory: ComposePath.clean(workingDirectory),
            shell: environment,
            fileSystem: fileSystem
        )
        context.toleratesUnsupported = toleratesUnsupported
        context.resolvesPaths = resolvesPaths
        let loaded = load(in: context)
        let diagnostics = context.diagnostics.sortedByPosition()
        context.history.tree = loaded.tree
        return LoadResult(
            project: diagnostics.hasErrors ? nil : loaded.project,
            diagnostics: diagnostics,
            sources: context.sources,
            tree: loaded.tree,
            variables: context.variableUses.values.sorted { $0.name < $1.name },
            environment: context.variables,
            history: context.history,
            profiles: context.selection.all,
            disabledServices: context.selection.inactive,
            files: context.composeFiles
        )
    }

    private func load(in context: LoadContext) -> (project: Project?, tree: YAMLNode?) {
        let paths = findFiles(in: context)
        var files = paths.compactMap { read($0, isFirst: $0 == paths.first, context) }
        guard files.count == paths.count, !files.isEmpty, check(files, context) else { return (nil, nil) }
        if let commandLine {
            guard let file = SourceFile.inMemory(.contents(Array(commandLine.utf8)), "command line", as: .merge, context) else {
                return (nil, nil)
            }
            files.append(file)
        }
        let name = name(given: written(in: files, context), in: context)
        context.variables["COMPOSE_PROJECT_NAME"] = name.rawValue
        guard let tree = ModelReader(context: context, interpolates: interpolates).tree(of: files),
            context.spend(.projectNodes(tree.weight.nodes), at: tree.position),
            context.spend(.text(tree.weight.bytes), at: tree.position)
        else { return (nil, nil) }
        let services = tree.mapping?["services"]
        context.selection = ProfileSelection(
            of: services,
            active: activeProfiles(context),
            selected: selectedServices
        )
        reportUnknownProfiles(context)
        let shown = TreeFinish(
            context: context,
            name: name,
            normalizes: normalizes,
            resolvesPaths: resolvesPaths
        )
        guard interpolates else { return (nil, shown.finished(tree)) }
        guard var project = ProjectReader(context: context, name: name).read(tree) else {
            return (nil, shown.finished(tree))
        }
        project.files = paths
        Validation(context: context, project: project).run()
        return (project, shown.finished(tree))
    }

    private func read(_ path: String, isFirst: Bool, _ context: LoadContext) -> SourceFile? {
        let reason: LoadHistory.Reason = isFirst ? .file : .merge
        guard path != LoadContext.standardInput else {
            return SourceFile.standardInput(standardInput(), as: reason, context)
        }
        let request = SourceFile.Request(
            code: "compose.file",
            position: nil,
            hint: files.isEmpty
                ? "check COMPOSE_FILE; it names it"
                : "check the path after -f; it is relative to \(context.workingDirectory)"
        )
        return SourceFile.read(path, as: reason, in: nil, for: request, context)
    }

    /// Whether any of the files holds something; reports those that don't.
    private func check(_ files: [SourceFile], _ context: LoadContext) -> Bool {
        guard let first = files.first, files.contains(where: { !$0.documents.isEmpty }) else {
            let shown = files.first?.shown ?? ""
            context.error(
                "compose.file.empty",
                "\(shown) is empty; a compose file needs `services:`",
                at: SourcePosition(file: shown, line: 1, column: 1),
                hint: "the smallest one is: services: {web: {image: nginx}}"
            )
            return false
        }
        for file in files where file.documents.isEmpty && (file.shown != first.shown || files.count > 1) {
            file.warnOfEmptiness(context)
        }
        return true
    }

    /// The last `name` that the files give, with its variables filled in.
    private func written(in files: [SourceFile], _ context: LoadContext) -> YAMLNode? {
        for file in files.reversed() {
            for document in file.documents.reversed() {
                guard let node = document.mapping?["name"], !MergeTags.isReset(node) else { continue }
                return Interpolation(context: context, file: file, replaces: true).apply(to: node)
            }
        }
        return nil
    }

    /// A profile of the command line that no service has is a slip; one of the environment may be for other projects.
    private func reportUnknownProfiles(_ context: LoadContext) {
        let known = context.selection.all
        for profile in profiles where profile != "*" && !known.contains(profile) {
            let near = Suggestion.nearest(to: profile, among: known).map { "did you mean \"\($0)\"?" }
            context.warning(
                "compose.profile.unknown",
                "no service has the profile \"\(profile)\"",
                at: nil,
                hint: near
                    ?? (known.isEmpty
                        ? "no service has profiles" : "there are: \(known.joined(separator: ", "))")
            )
        }
    }

    private func activeProfiles(_ context: LoadContext) -> [String] {
        guard profiles.isEmpty else { return profiles }
        return (context.variables["COMPOSE_PROFILES"] ?? "").split(separator: ",").map { name in
            String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }
}
