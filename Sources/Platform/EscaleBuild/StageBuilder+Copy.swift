import EscaleArchive
import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI
import EscaleSystem
import Synchronization

/// A `COPY` or `ADD` with everything expanded.
private struct CopyPlan: Sendable {
    var sources: [Source]
    /// Absolute, in the image.
    var destination: String
    var isDirectory: Bool
    var isLink: Bool
    var keepsParents: Bool
    var excludes: Dockerignore
    var excludePatterns: [String]
    var options: TreeCopy.Options

    enum Source: Sendable {
        case path(String)
        case inline(name: String, text: String)
        /// A file that was fetched.
        case remote(RemoteFile)
        /// A directory of a repository that was fetched.
        case repository(place: String, directory: String, commit: String)
    }

    /// All but the files' content.
    var description: [String] {
        var parts = [
            destination, "\(isDirectory)", "\(options.unpacksArchives)", "\(options.unpacksFetched)", "\(isLink)",
            "\(keepsParents)",
        ]
        parts += excludePatterns
        parts.append(options.owner.map { "\($0.uid):\($0.gid)" } ?? "")
        parts.append(options.permissions.map { "\($0)" } ?? "")
        for source in sources {
            switch source {
            case .path(let path): parts += keepsParents ? ["path", path] : ["path"]
            case .inline(let name, let text): parts += ["inline", name, text]
            case .remote(let file): parts += ["remote", file.name, file.digest.description]
            case .repository(let place, let directory, let commit):
                parts += ["repository", directory, commit, "\(Files.exists(place + "/.git"))"]
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
        source: BuildSource
    ) async throws {
        let known = state
        let store = build.store
        let area = try await blocking { try store.makeWorkArea() }
        defer { store.discard(area) }
        let plan = try await plan(copy, known, step, fetching: area)
        let content = try await content(plan.paths, excluding: plan.excludes, step, source, several: plan)
        // What is linked lies on its own: it is the same whatever is below.
        let base = plan.isLink ? [] : known.layers
        var key = StepKey("copy")
        key.add(base)
        key.add(plan.description)
        key.add(content)
        try await makeLayer(key.finish(), step, &state, base: plan.isLink ? [] : nil) { area in
            try await withTree(source, area, also: overlay(base, area)) { tree in
                try fill(area, plan, tree, step)
            }
        }
    }

    private func plan(
        _ copy: CopyInstruction,
        _ state: StageState,
        _ step: BuildStep,
        fetching area: WorkArea
    ) async throws -> CopyPlan {
        func expand(_ word: String) throws(EscaleError) -> String {
            try expandWord(word, escape: build.escape) { state.value($0) }
        }
        var options = TreeCopy.Options()
        if let owner = copy.owner { options.owner = try await resolve(expand(owner), state) }
        if let mode = copy.mode { options.permissions = try FileMode(expand(mode)) }
        let destination = try expand(copy.destination)
        let isDirectory = destination.hasSuffix("/") || destination.hasSuffix("/.") || destination == "."
        let checksum = try copy.checksum.map(expand)
        var sources: [CopyPlan.Source] = []
        var hasRemote = false
        for source in copy.sources {
            switch source {
            case .path(let word):
                let path = try expand(word)
                guard copy.isAdd, RemoteFile.isRemote(path) else {
                    sources.append(.path(path))
                    continue
                }
                hasRemote = true
                if let repository = GitRepository(path) {
                    let place = "\(area.path)/repository-\(sources.count)"
                    let commit = try await repository.fetch(
                        into: place, checksum: checksum, keepsHistory: copy.keepsGitDirectory,
                        agent: build.request.agents["default"])
                    sources.append(.repository(place: place, directory: repository.directory, commit: commit))
                    continue
                }
                let file = try await RemoteFile.fetch(
                    path, checksum: checksum, into: area.path, destination: isDirectory ? nil : destination)
                sources.append(.remote(file))
            case .inline(let heredoc):
                let text =
                    heredoc.expands
                    ? try expandText(heredoc.content, escape: build.escape) { state.value($0) }
                    : heredoc.content
                sources.append(.inline(name: heredoc.name, text: text))
            }
        }
        guard checksum == nil || hasRemote else {
            throw EscaleError(
                .init("build.checksum"), "--checksum is for what is fetched from a URL",
                hint: "leave it out: local files are compared by their content anyway")
        }
        options.unpacksArchives = copy.unpacks ?? copy.isAdd
        options.unpacksFetched = copy.unpacks ?? false
        let excludes = try copy.excludes.map(expand)
        return CopyPlan(
            sources: sources,
            destination: state.absolute(destination),
            isDirectory: isDirectory || copy.keepsParents,
            isLink: copy.isLink,
            keepsParents: copy.keepsParents,
            excludes: Dockerignore(excludes.joined(separator: "\n")),
            excludePatterns: excludes,
            options: options
        )
    }

    /// A name counts with its group from `/etc/passwd`, a number without a group is the group's number as well.
    func resolve(_ text: String, _ state: StageState) async throws -> (uid: UInt32, gid: UInt32) {
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

    /// The digest of what the paths hold. Of another stage's files it is remembered for as long as its layers are.
    private func content(
        _ paths: [String],
        excluding excludes: Dockerignore,
        _ step: BuildStep,
        _ source: BuildSource,
        several plan: CopyPlan?
    ) async throws -> Digest {
        let cache = build.fileDigests
        guard case .stage(let stage) = source else {
            return try await withTree(source, nil) { tree in
                try tree.digest(of: items(paths, in: tree, step, plan), excluding: excludes, cache: cache)
            }
        }
        var key = StepKey("content 2")
        key.add(stage.layers)
        key.add(paths)
        key.add(plan?.excludePatterns ?? [])
        let known = key.finish()
        if let text = await build.cached(known)?.note, let digest = Digest(text) { return digest }
        let store = build.store
        let area = try await blocking { try store.makeWorkArea() }
        let digest: Digest
        do {
            digest = try await withTree(source, area) { tree in
                try tree.digest(of: items(paths, in: tree, step, plan), excluding: excludes, cache: cache)
            }
        } catch {
            try await blocking { store.discard(area) }
            throw error
        }
        let record = CacheRecord(layers: stage.layers, note: digest.description)
        try await blocking {
            store.discard(area)
            try store.setCacheRecord(record, for: known)
        }
        build.records.withLock { $0[known] = record }
        return digest
    }

    /// The digest of one path of a mount's source.
    func content(of path: String, _ step: BuildStep, _ source: BuildSource) async throws -> Digest {
        try await content([path], excluding: Dockerignore(), step, source, several: nil)
    }

    /// Runs the work where the source's files are to be seen; another stage's are mounted, read only.
    ///
    /// - Parameter area: for the mount; only a stage needs one.
    func withTree<Value: Sendable>(
        _ source: BuildSource,
        _ area: WorkArea?,
        also namespace: MountNamespace? = nil,
        _ work: @escaping @Sendable (SourceTree) throws -> Value
    ) async throws -> Value {
        switch source {
        case .context:
            let context = try await build.context()
            guard let namespace else { return try await blocking { try work(context) } }
            return try await namespace.run { try work(context) }
        case .directory(let path, let name):
            let tree = try await blocking { try SourceTree.named(path, name) }
            guard let namespace else { return try await blocking { try work(tree) } }
            return try await namespace.run { try work(tree) }
        case .stage(let stage):
            guard let area else { throw EscaleError(.internalFault, "a stage's files need a place to be mounted on") }
            return try await withTree(of: stage, area, also: namespace, work)
        }
    }

    private func withTree<Value: Sendable>(
        of stage: StageState,
        _ area: WorkArea,
        also namespace: MountNamespace?,
        _ work: @escaping @Sendable (SourceTree) throws -> Value
    ) async throws -> Value {
        let place = area.path + "/source"
        try await blocking { try Files.createDirectories(place) }
        // Overlayfs wants two lower directories where there is no upper one.
        let lower = [ImageStore.emptyLayerName] + build.store.lowerDirectories(of: stage.layers)
        let unique = stage.layers.isEmpty ? Array(lower.prefix(1)) : lower
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
            case .remote(let file):
                try copy.add(file, to: plan.destination, isDirectory: plan.isDirectory)
            case .repository(let place, let directory, _):
                let repository = try SourceTree(place, name: "the repository", keepsOwners: false)
                guard let item = try repository.items(matching: directory).first else {
                    throw EscaleError(
                        .init("build.source-missing"), "there is no \(directory) in the repository")
                }
                try copy.copy(
                    item, of: repository, to: plan.destination, isDirectory: true, excluding: plan.excludes)
            case .path(let path):
                for item in try tree.items(matching: path) {
                    let destination = plan.keepsParents
                        ? plan.destination + "/" + Self.parents(of: item, named: path) : plan.destination
                    if plan.keepsParents {
                        try copy.makeParents(
                            Self.parents(of: item, named: path), of: item, of: tree, under: plan.destination)
                    }
                    try copy.copy(
                        item, of: tree, to: destination,
                        isDirectory: plan.isDirectory, keepsName: plan.keepsParents && item.status.kind == .directory,
                        excluding: plan.excludes)
                }
            }
        }
        try copy.finish()
    }

    /// The directories that an item keeps: those behind a `/./` in the source, or all.
    static func parents(of item: SourceTree.Item, named source: String) -> String {
        var names = item.givenPath.split(separator: "/").map(String.init)
        _ = names.popLast()
        guard let pivot = source.range(ofPivot: "/./") else { return names.joined(separator: "/") }
        let before = source[..<pivot].split(separator: "/").filter { $0 != "." }.count
        return names.dropFirst(before).joined(separator: "/")
    }

    private func items(
        _ paths: [String],
        in tree: SourceTree,
        _ step: BuildStep,
        _ plan: CopyPlan?
    ) throws -> [SourceTree.Item] {
        var found: [SourceTree.Item] = []
        for path in paths {
            let items = try tree.items(matching: path)
            guard !items.isEmpty else { throw try missing(path, in: tree, step) }
            found += items
        }
        if let plan, found.count + plan.sources.count - paths.count > 1 && !plan.isDirectory {
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

extension String {
    /// Where the first occurrence of the text begins.
    fileprivate func range(ofPivot text: String) -> Index? {
        indices.first { self[$0...].hasPrefix(text) }
    }
}
