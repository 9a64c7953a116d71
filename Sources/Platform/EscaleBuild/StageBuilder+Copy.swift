import EscaleArchive
import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI
import EscaleSystem

/// A `COPY` with everything expanded.
private struct CopyPlan: Sendable {
    var sources: [Source]
    /// Absolute, in the image.
    var destination: String
    var isDirectory: Bool
    var options: TreeCopy.Options

    enum Source: Sendable {
        case path(String)
        case inline(name: String, text: String)
    }

    /// All but the files' content.
    var description: [String] {
        var parts = [destination, "\(isDirectory)", "\(options.unpacksArchives)"]
        parts.append(options.owner.map { "\($0.uid):\($0.gid)" } ?? "")
        parts.append(options.permissions.map { String($0, radix: 8) } ?? "")
        for source in sources {
            switch source {
            case .path: parts.append("path")
            case .inline(let name, let text): parts += ["inline", name, text]
            }
        }
        return parts
    }

    var paths: [String] {
        sources.compactMap { if case .path(let path) = $0 { path } else { nil } }
    }
}

extension StageBuilder {
    func perform(
        _ copy: CopyInstruction,
        _ step: BuildStep,
        _ state: inout StageState,
        source: StageState?
    ) async throws {
        let known = state
        let plan = try await plan(copy, known)
        let content = try await content(plan, step, source)
        var key = StepKey("copy")
        key.add(known.layers)
        key.add(plan.description)
        key.add(content)
        try await makeLayer(key.finish(), step, &state) { area in
            if let source {
                try await withTree(source, area, also: overlay(known.layers, area)) { tree in
                    try fill(area, plan, tree, step)
                }
            } else {
                let context = try await build.context()
                try await overlay(known.layers, area).run { try fill(area, plan, context, step) }
            }
        }
    }

    private func plan(_ copy: CopyInstruction, _ state: StageState) async throws -> CopyPlan {
        func expand(_ word: String) throws(EscaleError) -> String {
            try expandWord(word, escape: build.escape) { state.value($0) }
        }
        var options = TreeCopy.Options(unpacksArchives: copy.isAdd)
        if let owner = copy.owner { options.owner = try await resolve(expand(owner), state) }
        if let mode = copy.mode {
            guard let bits = UInt32(try expand(mode), radix: 8), bits <= 0o7777 else {
                throw EscaleError(
                    .init("build.mode"),
                    "\"\(mode)\" is not a mode",
                    hint: "write it in octal, like --chmod=755"
                )
            }
            options.permissions = bits
        }
        let sources = try copy.sources.map { source throws(EscaleError) -> CopyPlan.Source in
            switch source {
            case .path(let word): return .path(try expand(word))
            case .inline(let heredoc):
                let text =
                    heredoc.expands
                    ? try expandText(heredoc.content, escape: build.escape) { state.value($0) }
                    : heredoc.content
                return .inline(name: heredoc.name, text: text)
            }
        }
        let destination = try expand(copy.destination)
        let isDirectory = destination.hasSuffix("/") || destination.hasSuffix("/.") || destination == "."
        return CopyPlan(
            sources: sources,
            destination: state.absolute(destination),
            isDirectory: isDirectory,
            options: options
        )
    }

    /// A name counts with its group from `/etc/passwd`, a number without a group is the group's number as well.
    private func resolve(_ text: String, _ state: StageState) async throws -> (uid: UInt32, gid: UInt32) {
        if let number = UInt32(text) { return (number, number) }
        let store = build.store
        let layers = state.layers
        let (passwd, group) = try await blocking {
            (
                try store.readFile("/etc/passwd", in: layers) ?? "",
                try store.readFile("/etc/group", in: layers) ?? ""
            )
        }
        let user = try resolveUser(text, passwd: passwd, group: group)
        return (user.uid, user.gid)
    }

    /// The digest of what the sources hold. Of another stage's files it is remembered for as long as its layers are.
    private func content(_ plan: CopyPlan, _ step: BuildStep, _ source: StageState?) async throws -> Digest {
        let cache = build.fileDigests
        guard let source else {
            let context = try await build.context()
            return try await blocking { try context.digest(of: items(plan, in: context, step), cache: cache) }
        }
        var key = StepKey("content")
        key.add(source.layers)
        key.add(plan.paths)
        let known = key.finish()
        if let text = await build.cached(known)?.note, let digest = Digest(text) { return digest }
        let store = build.store
        let area = try await blocking { try store.makeWorkArea() }
        let digest: Digest
        do {
            digest = try await withTree(source, area) { tree in
                try tree.digest(of: items(plan, in: tree, step), cache: cache)
            }
        } catch {
            try await blocking { store.discard(area) }
            throw error
        }
        try await blocking {
            store.discard(area)
            try store.setCacheRecord(CacheRecord(layers: source.layers, note: digest.description), for: known)
        }
        return digest
    }

    /// Runs the work where the other stage's files are mounted, read only.
    private func withTree<Value: Sendable>(
        _ source: StageState,
        _ area: WorkArea,
        also namespace: MountNamespace? = nil,
        _ work: @escaping @Sendable (SourceTree) throws -> Value
    ) async throws -> Value {
        let place = area.path + "/source"
        try await blocking { try Files.createDirectories(place) }
        // Overlayfs wants two lower directories where there is no upper one.
        let lower = [ImageStore.emptyLayerName] + build.store.lowerDirectories(of: source.layers)
        let unique = source.layers.isEmpty ? Array(lower.prefix(1)) : lower
        let mount =
            unique.count == 1
            ? PrivateMount(
                source: "\(build.store.layersDirectory)/\(unique[0])",
                target: place,
                type: "none",
                flags: PrivateMount.bind
            )
            : PrivateMount(
                source: "overlay",
                target: place,
                type: "overlay",
                flags: PrivateMount.readOnly,
                data: "lowerdir=\(unique.joined(separator: ":"))"
            )
        var whole = namespace ?? MountNamespace(directory: build.store.layersDirectory)
        whole.mounts.append(mount)
        return try await whole.run {
            try work(SourceTree(place, name: "the stage", keepsOwners: true))
        }
    }

    private func fill(_ area: WorkArea, _ plan: CopyPlan, _ tree: SourceTree, _ step: BuildStep) throws {
        let copy = try TreeCopy(area.merged, options: plan.options)
        for source in plan.sources {
            switch source {
            case .inline(let name, let text):
                try copy.write(text, name: name, to: plan.destination, isDirectory: plan.isDirectory)
            case .path(let path):
                for item in try tree.items(matching: path) {
                    try copy.copy(item, of: tree, to: plan.destination, isDirectory: plan.isDirectory)
                }
            }
        }
        try copy.finish()
    }

    private func items(_ plan: CopyPlan, in tree: SourceTree, _ step: BuildStep) throws -> [SourceTree.Item] {
        var found: [SourceTree.Item] = []
        for path in plan.paths {
            let items = try tree.items(matching: path)
            guard !items.isEmpty else { throw try missing(path, in: tree, step) }
            found += items
        }
        if found.count + plan.sources.count - plan.paths.count > 1 && !plan.isDirectory {
            throw EscaleError.build(
                "build.copy-destination",
                "several files can't be copied to one path, \(plan.destination)",
                at: step.position,
                hint: "end the destination with a slash"
            )
        }
        return found
    }

    private func missing(_ path: String, in tree: SourceTree, _ step: BuildStep) throws -> EscaleError {
        let clean = cleanPath(path)
        let above = clean.lastIndex(of: "/").map { String(clean[..<$0]) } ?? ""
        let name = clean.split(separator: "/").last.map(String.init) ?? clean
        let names = try tree.names(in: above)
        var hint: String?
        if !isPathPattern(clean), tree.ignore.ignores(clean), Files.exists("\(tree.directory)/\(clean)") {
            hint = ".dockerignore leaves it out"
        } else if let near = nearest(name, to: names) {
            hint = "did you mean \(above.isEmpty ? near : "\(above)/\(near)")?"
        } else if !names.isEmpty {
            let place = above.isEmpty ? tree.name : "\(above) in \(tree.name)"
            hint =
                "in \(place) there are: \(names.prefix(12).joined(separator: ", "))\(names.count > 12 ? ", …" : "")"
        }
        return EscaleError.build(
            "build.source-missing",
            "there is no \(path) in \(tree.name)",
            at: step.position,
            hint: hint
        )
    }
}
