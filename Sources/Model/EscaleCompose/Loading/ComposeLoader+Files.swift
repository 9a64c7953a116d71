import EscaleCore

/// The phase that finds the compose file and reads the variables.
extension ComposeLoader {
    /// File names in the order of preference.
    package static let fileNames = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"]

    /// The compose file's absolute path; sets the context's project directory and variables.
    func findFile(in context: LoadContext) -> String? {
        let list = context.shell["COMPOSE_FILE"] ?? ""
        var chosen = files.isEmpty ? Self.split(list, context.shell) : files
        var discovered: String?
        if chosen.isEmpty {
            discovered = discover(
                from: context.resolveDirectory(projectDirectory) ?? context.workingDirectory,
                context
            )
        }
        context.projectDirectory =
            context.resolveDirectory(projectDirectory)
            ?? (chosen.first ?? discovered).map {
                ComposePath.directory(of: ComposePath.absolute($0, in: context.workingDirectory))
            } ?? context.workingDirectory
        readEnvironmentFiles(into: context)
        if chosen.isEmpty, let list = context.variables["COMPOSE_FILE"] {
            chosen = Self.split(list, context.variables).map {
                ComposePath.absolute($0, in: context.projectDirectory)
            }
        }
        guard chosen.isEmpty else { return explicit(chosen, context) }
        guard let discovered else {
            context.error(
                "compose.file.missing",
                "there is no compose file in \(context.workingDirectory) or a directory above it",
                at: nil,
                hint: "create compose.yaml there, or name a file with -f"
            )
            return nil
        }
        reportNeighbours(of: discovered, context)
        return discovered
    }

    private static func split(_ list: String, _ variables: [String: String]) -> [String] {
        let separator = variables["COMPOSE_PATH_SEPARATOR"]?.first ?? ":"
        return list.split(separator: separator).map(String.init)
    }

    private func explicit(_ chosen: [String], _ context: LoadContext) -> String? {
        guard let first = chosen.first, chosen.count == 1 else {
            context.error(
                "compose.files.several",
                "several compose files are given (\(chosen.joined(separator: ", "))); merging is not supported yet",
                at: nil,
                hint: "put everything into one file and name only that one with -f"
            )
            return nil
        }
        guard first != "-" else {
            context.error(
                "compose.file.stdin",
                "reading the compose file from standard input is not supported yet",
                at: nil,
                hint: "write it to a file and name that with -f"
            )
            return nil
        }
        return ComposePath.absolute(first, in: context.workingDirectory)
    }

    private func discover(from start: String, _ context: LoadContext) -> String? {
        var directory = start
        while true {
            for name in Self.fileNames {
                let path = ComposePath.absolute(name, in: directory)
                if context.fileSystem.exists(path) { return path }
            }
            if directory == "/" { return nil }
            directory = ComposePath.directory(of: directory)
        }
    }

    /// Says so if other files beside the found one look as if they were meant to count.
    private func reportNeighbours(of file: String, _ context: LoadContext) {
        let directory = ComposePath.directory(of: file)
        let top = SourcePosition(file: context.display(file), line: 1, column: 1)
        func existing(_ names: [String]) -> [String] {
            names.filter { context.fileSystem.exists(ComposePath.absolute($0, in: directory)) }
        }
        let overrides = ["compose.override", "docker-compose.override"].flatMap {
            ["\($0).yaml", "\($0).yml"]
        }
        for name in existing(overrides) {
            context.error(
                "compose.file.override",
                "\(name) is not merged into \(ComposePath.baseName(of: file)) yet",
                at: top,
                hint: "to go without it, name the file: escale -f \(context.display(file)) …"
            )
        }
        for name in existing(Self.fileNames) where name != ComposePath.baseName(of: file) {
            context.warning(
                "compose.file.other",
                "\(name) is there too and is not used",
                at: top,
                hint: "remove one of the two, or name the one you mean with -f"
            )
        }
    }

    private func readEnvironmentFiles(into context: LoadContext) {
        let listed = context.shell["COMPOSE_ENV_FILES"]?.split(separator: ",").map(String.init) ?? []
        let explicit = environmentFiles.isEmpty ? listed : environmentFiles
        let paths =
            explicit.isEmpty
            ? [ComposePath.absolute(".env", in: context.projectDirectory)]
            : explicit.map { ComposePath.absolute($0, in: context.workingDirectory) }
        for path in paths {
            switch context.text(ofFile: path) {
            case .text(let text):
                let known = context.variables
                let entries = EnvironmentFile.parse(
                    text,
                    file: context.display(path),
                    outer: known,
                    context: context
                )
                for entry in entries {
                    // The shell wins; of several files, the last.
                    if let value = entry.value, context.shell[entry.key] == nil {
                        context.variables[entry.key] = value
                    }
                }
            case .reported: break
            case .failed(let reason):
                context.error(
                    "compose.env-file.unreadable",
                    "\(context.display(path)) can't be read: \(reason)",
                    at: nil
                )
            case .missing:
                guard !explicit.isEmpty else { break }
                context.error(
                    "compose.env-file.missing",
                    "there is no file \(context.display(path))",
                    at: nil,
                    hint: "check the path after --env-file; it is relative to \(context.workingDirectory)"
                )
            }
        }
    }
}

extension LoadContext {
    fileprivate func resolveDirectory(_ path: String?) -> String? {
        path.map { ComposePath.absolute($0, in: workingDirectory) }
    }
}
