import EscaleCore

/// The phase that finds the compose file and reads the variables.
extension ComposeLoader {
    /// File names in the order of preference.
    package static let fileNames = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"]

    private static let overrideNames = ["compose.override", "docker-compose.override"].flatMap {
        ["\($0).yml", "\($0).yaml"]
    }

    /// The compose files' absolute paths, the first one's first, `-` for standard input; sets the context's project
    /// directory and variables. Empty where there is none, which is reported.
    func findFiles(in context: LoadContext) -> [String] {
        let list = context.shell["COMPOSE_FILE"] ?? ""
        var chosen = files.isEmpty ? Self.split(list, context.shell) : files
        var discovered: String?
        if chosen.isEmpty {
            discovered = discover(
                from: context.resolveDirectory(projectDirectory) ?? context.workingDirectory,
                context
            )
        }
        let first = chosen.first { $0 != LoadContext.standardInput } ?? discovered
        context.projectDirectory =
            context.resolveDirectory(projectDirectory)
            ?? first.map { ComposePath.directory(of: ComposePath.absolute($0, in: context.workingDirectory)) }
            ?? context.workingDirectory
        readEnvironmentFiles(into: context)
        if chosen.isEmpty, let list = context.variables["COMPOSE_FILE"] {
            chosen = Self.split(list, context.variables).map {
                $0 == LoadContext.standardInput ? $0 : ComposePath.absolute($0, in: context.projectDirectory)
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
            return []
        }
        return [discovered] + neighbours(of: discovered, context)
    }

    private static func split(_ list: String, _ variables: [String: String]) -> [String] {
        let separator = variables["COMPOSE_PATH_SEPARATOR"].flatMap { $0.isEmpty ? nil : $0 } ?? ":"
        return list.split(separator: separator).map(String.init)
    }

    private func explicit(_ chosen: [String], _ context: LoadContext) -> [String] {
        guard chosen.count(where: { $0 == LoadContext.standardInput }) < 2 else {
            context.error(
                "compose.file.stdin",
                "standard input (-f -) is given twice, and can be read once",
                at: nil,
                hint: "write one of the two to a file and name that with -f"
            )
            return []
        }
        return chosen.map {
            $0 == LoadContext.standardInput ? $0 : ComposePath.absolute($0, in: context.workingDirectory)
        }
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

    /// The override file beside the found one. Says so if further files look as if they were meant to count.
    private func neighbours(of file: String, _ context: LoadContext) -> [String] {
        let directory = ComposePath.directory(of: file)
        func existing(_ names: [String]) -> [String] {
            names.map { ComposePath.absolute($0, in: directory) }.filter(context.fileSystem.exists)
        }
        func warn(of others: some Sequence<String>, beside used: String) {
            for other in others {
                context.warning(
                    "compose.file.other",
                    "\(ComposePath.baseName(of: other)) is there too and is not used",
                    at: SourcePosition(file: context.display(used), line: 1, column: 1),
                    hint: "remove one of the two, or name the one you mean with -f"
                )
            }
        }
        warn(of: existing(Self.fileNames).filter { $0 != file }, beside: file)
        let overrides = existing(Self.overrideNames)
        if let used = overrides.first { warn(of: overrides.dropFirst(), beside: used) }
        return Array(overrides.prefix(1))
    }

    private func readEnvironmentFiles(into context: LoadContext) {
        let listed = context.shell["COMPOSE_ENV_FILES"]?.split(separator: ",").map(String.init) ?? []
        let explicit = environmentFiles.isEmpty ? listed : environmentFiles
        let isDisabled = ["1", "t", "true"].contains(
            context.shell["COMPOSE_DISABLE_ENV_FILE"]?.lowercased() ?? ""
        )
        let standard = isDisabled ? [] : [ComposePath.absolute(".env", in: context.projectDirectory)]
        let files = EnvironmentFileSet(
            context: context,
            paths: explicit.isEmpty
                ? standard : explicit.map { ComposePath.absolute($0, in: context.workingDirectory) },
            position: nil,
            hint: explicit.isEmpty
                ? nil : "check the path after --env-file; it is relative to \(context.workingDirectory)"
        )
        context.variables = files.variables(over: context.shell)
    }
}

extension LoadContext {
    fileprivate func resolveDirectory(_ path: String?) -> String? {
        path.map { ComposePath.absolute($0, in: workingDirectory) }
    }
}
