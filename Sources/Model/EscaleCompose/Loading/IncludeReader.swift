import EscaleCore
import EscaleYAML

/// Carries out `include`: each included project is loaded on its own and its resources are added to the file.
struct IncludeReader {
    /// Reads the including file.
    let reader: ModelReader
    let file: SourceFile
    private var context: LoadContext { reader.context }

    /// What is copied into the including file, and looked for in it.
    private static let sections = ["services", "networks", "volumes", "secrets", "configs", "models"]

    /// The document with all that it includes, and without `include`.
    func included(in root: YAMLNode) -> YAMLNode {
        guard let node = root.mapping?["include"], !MergeTags.isReset(node) else { return root }
        let field = Field(path: "include", node: node, context: context)
        var result = root.removing("include")
        for item in field.items(hint: "write a list such as [other/compose.yaml]") ?? []
        where !context.isExhausted {
            guard let entry = Entry(item), let tree = tree(of: entry) else { continue }
            result = add(tree, of: entry, to: result)
        }
        return result
    }

    // MARK: One entry

    private struct Entry {
        let field: Field
        let paths: [Field]
        let projectDirectory: Field?
        let environmentFiles: [Field]?

        /// Reads the short or the long form; `nil` for what names no file, which is reported.
        init?(_ field: Field) {
            let example = "name a compose file: - other/compose.yaml"
            self.field = field
            if field.isScalar {
                guard field.filledText(hint: example) != nil else { return nil }
                (paths, projectDirectory, environmentFiles) = ([field], nil, nil)
                return
            }
            guard let section = field.section(.include, hint: example) else { return nil }
            paths = section["path"]?.texts() ?? []
            projectDirectory = section["project_directory"].flatMap { $0.isNull ? nil : $0 }
            environmentFiles = section["env_file"].flatMap { $0.isNull ? nil : $0.texts() }
            guard !paths.isEmpty else {
                if section["path"]?.isMapping != true {
                    field.error(
                        "compose.include.path",
                        "\(field.path) names no file under `path`",
                        hint: example
                    )
                }
                return nil
            }
        }
    }

    private func tree(of entry: Entry) -> YAMLNode? {
        let surroundings = context.scope(of: entry.field.position)
        let paths = entry.paths.compactMap { path(of: $0, in: surroundings) }
        guard let first = paths.first, paths.count == entry.paths.count else { return nil }
        guard reader.chain.count < LoadBudget.depth else {
            entry.field.error(
                "compose.include.depth",
                "more than \(LoadBudget.depth) files include one another in a row",
                hint: "include the last one directly"
            )
            return nil
        }
        let chain = reader.chain + [file.path]
        for (path, field) in zip(paths, entry.paths) {
            if let start = chain.firstIndex(of: path) {
                report(cycle: chain[start...] + [path], at: field)
                return nil
            }
        }
        let directory = entry.projectDirectory.flatMap { field in
            field.filledText().map { absolute($0, field, in: surroundings) }
        }
        let scope = self.scope(directory ?? ComposePath.directory(of: first), entry, surroundings)
        let files = zip(paths, entry.paths).compactMap { path, field in
            let request = SourceFile.Request(
                code: "compose.include",
                position: field.position,
                hint: "the path is relative to \(surroundings.directory)"
            )
            return SourceFile.read(path, as: .include, in: scope, for: request, context)
        }
        guard files.count == paths.count else { return nil }
        for file in files where file.documents.isEmpty { file.warnOfEmptiness(context) }
        return ModelReader(context: context, interpolates: reader.interpolates, scope: scope, chain: chain)
            .tree(of: files)
    }

    private func path(of field: Field, in surroundings: FileScope) -> String? {
        guard let written = field.filledText(hint: "name a compose file") else { return nil }
        guard !RemoteReference.matches(written) else {
            field.error(
                "compose.include.remote",
                "\(field.path): \"\(written)\" is not on this machine; only local files are included",
                hint: "download it and name the file"
            )
            return nil
        }
        return absolute(written, field, in: surroundings)
    }

    private func absolute(_ path: String, _ field: Field, in surroundings: FileScope) -> String {
        context.absolute(path, in: surroundings.directory) ?? field.resolve(path)
    }

    /// What the included files stand in: the variables here win over those of its environment files.
    private func scope(_ directory: String, _ entry: Entry, _ surroundings: FileScope) -> FileScope {
        let named = entry.environmentFiles?.compactMap { field -> String? in
            guard let path = field.filledText(), path != "/dev/null" else { return nil }
            return absolute(path, field, in: surroundings)
        }
        let files = EnvironmentFileSet(
            context: context,
            paths: named ?? [ComposePath.absolute(".env", in: directory)],
            position: entry.environmentFiles?.first?.position,
            hint: named == nil
                ? nil : "create it, or remove the line; it is relative to \(surroundings.directory)"
        )
        return FileScope(directory: directory, variables: files.variables(over: surroundings.variables))
    }

    private func report(cycle: [String], at field: Field) {
        field.error(
            "compose.include.cycle",
            cycle.count == 2
                ? "\(context.display(cycle[0])) includes itself"
                : "files include each other in a circle: \(cycle.map(context.display).joined(separator: " → "))",
            hint: "remove one of the includes"
        )
    }

    // MARK: Adding

    private func add(_ tree: YAMLNode, of entry: Entry, to root: YAMLNode) -> YAMLNode {
        checkTop(of: tree)
        var root = root
        for section in Self.sections {
            guard let from = tree.mapping?[section], !from.isNull else { continue }
            guard from.mapping != nil else {
                Field(path: section, node: from, context: context).mismatch("a mapping")
                continue
            }
            if let own = root.mapping?[section], own.mapping == nil, !own.isNull { continue }
            root = add(section, from, of: entry, to: root)
        }
        return root
    }

    /// Reports what an included file says at its top and nobody takes over.
    private func checkTop(of tree: YAMLNode) {
        guard reader.interpolates else { return }
        _ = Field(path: "", node: tree, context: context).section(.file)
        guard let pair = tree.mapping?.pairs.first(where: { $0.key == "x-escale" }) else { return }
        context.warning(
            "compose.include.x-escale",
            "x-escale of a whole file has no effect in one that is included",
            at: pair.keyPosition,
            hint: "write it in the first file"
        )
    }

    private func add(_ section: String, _ from: YAMLNode, of entry: Entry, to root: YAMLNode) -> YAMLNode {
        let pairs = from.mapping?.pairs ?? []
        let known = Dictionary(
            (root.mapping?[section]?.mapping?.pairs ?? []).map { ($0.key, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var added: [YAMLMapping.Pair] = []
        for pair in pairs {
            guard let own = known[pair.key], !MergeTags.isReset(own.value) else {
                added.append(pair)
                note(pair, section, of: entry)
                continue
            }
            guard !isSame(own.value, pair.value, section) else { continue }
            context.error(
                "compose.include.conflict",
                "\(section).\(pair.key) is defined at \(own.keyPosition) and, otherwise, in what is included here (\(pair.keyPosition))",
                at: entry.field.position,
                hint: "rename one of the two; to change what is included, use compose.override.yaml"
            )
        }
        guard context.spend(.mergedNodes(added.count), at: from.position) else { return root }
        guard let own = root.mapping?[section], own.mapping != nil else {
            let position = from.position
            let mapping = YAMLNode(.mapping(YAMLMapping(added)), at: position)
            return root.removing(section).appending(
                .init(key: section, keyPosition: position, value: mapping)
            )
        }
        return root.replacing(section) { node in
            YAMLNode(
                .mapping(YAMLMapping((node.mapping?.pairs ?? []) + added)),
                at: node.position,
                tag: node.tag
            )
        }
    }

    private func note(_ pair: YAMLMapping.Pair, _ section: String, of entry: Entry) {
        let place = LoadHistory.Entry(
            reason: .include,
            position: entry.field.position,
            value: entry.paths.first?.node.scalar?.text
        )
        context.history.note(place, at: "\(section).\(pair.key)")
    }

    /// Whether two definitions are the same, also in the files that they name.
    private func isSame(_ left: YAMLNode, _ right: YAMLNode, _ section: String) -> Bool {
        let paths = PathResolution(context: context)
        return paths.resolved(left, in: section).means(paths.resolved(right, in: section))
    }
}

extension SourceFile {
    /// Says that a file among others holds nothing.
    func warnOfEmptiness(_ context: LoadContext) {
        context.warning(
            "compose.file.empty",
            "\(shown) is empty and adds nothing",
            at: SourcePosition(file: shown, line: 1, column: 1)
        )
    }
}
