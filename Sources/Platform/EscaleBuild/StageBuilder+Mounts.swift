import EscaleArchive
import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI
import EscaleSystem
import Glibc

/// A `RUN --mount` with everything expanded.
struct MountPlan: Sendable {
    var mount: RunMount
    /// Absolute, in the container; `nil` for a secret that is a variable only.
    var target: String?
    /// Where in its source a bind or a cache begins.
    var source = ""
    var reference: BuildGraph.Source?
    var content: Digest?

    /// What of it the step's result may depend on: never a secret.
    var description: String {
        let parts: [String?] = [
            mount.kind.rawValue, target, mount.id, source, content?.description, mount.environment,
            mount.isReadOnly.map { "\($0)" }, mount.size,
        ]
        return "mount " + parts.map { $0 ?? "" }.joined(separator: " ")
    }

    /// What a field comes to as a number; `nil` where it is not given.
    ///
    /// - Throws: `build.mount` for anything else, such as a variable that is empty.
    func number(
        _ name: String,
        _ field: KeyPath<RunMount, String?>,
        radix: Int = 10
    ) throws(EscaleError) -> UInt32? {
        guard let text = mount[keyPath: field] else { return nil }
        guard let number = UInt32(text, radix: radix), radix == 10 || number <= 0o7777 else {
            throw EscaleError(
                .init("build.mount"),
                "\(name) of --mount=type=\(mount.kind.rawValue) came to \"\(text)\", which is no number",
                hint: "write it like \(name)=\(radix == 8 ? "0644" : "1000"), or give its variable a value"
            )
        }
        return number
    }
}

extension StageBuilder {
    func plan(
        _ mounts: [RunMount],
        _ index: Int,
        _ state: StageState,
        _ step: BuildStep,
        _ sources: @escaping Sources
    ) async throws -> [MountPlan] {
        func expand(_ word: String?) throws(EscaleError) -> String? {
            try word.map { word throws(EscaleError) in
                try expandWord(word, escape: build.escape) { state.value($0) }
            }
        }
        var plans: [MountPlan] = []
        for (number, mount) in mounts.enumerated() {
            var plan = MountPlan(mount: mount)
            plan.mount.id = try expand(mount.id)
            plan.mount.uid = try expand(mount.uid)
            plan.mount.gid = try expand(mount.gid)
            plan.mount.mode = try expand(mount.mode)
            plan.mount.size = try expand(mount.size)
            plan.mount.environment = try expand(mount.environment)
            plan.source = cleanPath(try expand(mount.source) ?? "")
            plan.target = try expand(mount.target).map(state.absolute)
            if mount.kind == .bind || mount.kind == .cache {
                guard plan.target != nil else {
                    throw EscaleError(
                        .init("build.mount"),
                        "--mount=type=\(mount.kind.rawValue) needs a target",
                        hint: "add target=/path"
                    )
                }
            }
            if mount.kind == .bind || (mount.kind == .cache && mount.from != nil) {
                let reference = BuildGraph.Source(instruction: index, mount: number)
                plan.reference = reference
                let source: BuildSource = mount.from == nil ? .context : try await sources(reference)
                plan.content = try await content(of: plan.source, step, source)
            }
            plans.append(plan)
        }
        return plans
    }

    /// Runs the body with all that is mounted in place. Nothing of it is in the layer afterwards.
    func withMounts(
        _ plans: [MountPlan],
        _ step: BuildStep,
        _ area: WorkArea,
        _ sources: @escaping Sources,
        _ command: inout BuildRun,
        _ body: (BuildRun) async throws -> Void
    ) async throws {
        var uses: [CacheMounts.Use] = []
        defer { for use in uses { build.caches.release(use) } }
        for (number, plan) in plans.enumerated() {
            switch plan.mount.kind {
            case .bind:
                let place = "\(area.path)/mount-\(number)"
                try await copyOut(plan, to: place, sources)
                command.mounts.append(
                    .init(
                        .bind(source: place + "/it"),
                        target: plan.target ?? "/",
                        readOnly: plan.mount.isReadOnly ?? true
                    )
                )
            case .cache:
                let use = try await cache(plan, sources)
                uses.append(use)
                command.mounts.append(
                    .init(
                        .bind(source: use.path),
                        target: plan.target ?? "/",
                        readOnly: plan.mount.isReadOnly ?? false
                    )
                )
            case .tmpfs:
                let size = try plan.mount.size.map { text throws(EscaleError) in try Self.size(text) }
                command.mounts.append(
                    .init(
                        .tmpfs(size: size, mode: nil),
                        target: plan.target ?? "/tmp",
                        readOnly: plan.mount.isReadOnly ?? false
                    )
                )
            case .secret: try await addSecret(plan, to: &command)
            case .ssh: try addAgent(plan, number, to: &command)
            }
        }
        try await body(command)
    }

    private static func size(_ text: String) throws(EscaleError) -> ByteCount {
        guard let size = ByteCount(compose: text) else {
            throw EscaleError(.init("build.mount"), "\"\(text)\" is no size", hint: "write it like size=64m")
        }
        return size
    }

    /// Copies what a bind shows, so that nothing that the command does reaches its source. It becomes `it` in the place.
    private func copyOut(_ plan: MountPlan, to place: String, _ sources: @escaping Sources) async throws {
        let reference = plan.reference ?? BuildGraph.Source(instruction: -1)
        let source: BuildSource = plan.mount.from == nil ? .context : try await sources(reference)
        let store = build.store
        let scratch = try await blocking { try store.makeWorkArea() }
        defer { store.discard(scratch) }
        let path = plan.source
        try await withTree(source, scratch) { tree in
            try Files.createDirectories(place)
            guard let item = try tree.items(matching: path).first else {
                throw EscaleError(.init("build.source-missing"), "there is no \(path) in \(tree.name)")
            }
            let copy = try TreeCopy(place)
            try copy.copy(item, of: tree, to: "it", isDirectory: false)
            try copy.finish()
        }
    }

    private func cache(_ plan: MountPlan, _ sources: @escaping Sources) async throws -> CacheMounts.Use {
        let use = try await build.caches.take(
            plan.mount.id ?? plan.target ?? "",
            plan.mount.sharing ?? .shared,
            mode: try plan.number("mode", \.mode, radix: 8) ?? 0o755,
            uid: try plan.number("uid", \.uid) ?? 0,
            gid: try plan.number("gid", \.gid) ?? 0
        )
        guard plan.reference != nil, try await blocking({ try Files.list(use.path).isEmpty }) else {
            return use
        }
        do {
            // A new one begins with what its source holds.
            try await copyOut(plan, to: use.path + ".new", sources)
            try await blocking {
                try check("fill a cache directory") { rename(use.path + ".new/it", use.path) }
                try Files.remove(use.path + ".new")
            }
            return use
        } catch {
            build.caches.release(use)
            throw error
        }
    }

    private func addSecret(_ plan: MountPlan, to command: inout BuildRun) async throws {
        let id = plan.mount.id ?? plan.target?.split(separator: "/").last.map(String.init) ?? ""
        guard let secret = build.request.secrets[id] else {
            guard plan.mount.isRequired else { return }
            throw EscaleError(
                .init("build.secret"),
                "the secret \"\(id)\" was not given",
                hint: "add it under `build.secrets`, or with --secret id=\(id),src=FILE"
            )
        }
        if let name = plan.mount.environment {
            command.environment[name] =
                switch secret {
                case .text(let text): text
                case .file(let path): try await blocking { try Files.readText(path) }
                }
            if plan.target == nil { return }
        }
        let contents: ProvidedFile.Contents =
            switch secret {
            case .text(let text): .text(text)
            case .file(let path): .copy(of: path)
            }
        let file = ProvidedFile(
            contents,
            user: try plan.number("uid", \.uid) ?? 0,
            group: try plan.number("gid", \.gid) ?? 0,
            mode: try plan.number("mode", \.mode, radix: 8) ?? 0o400
        )
        command.mounts.append(.init(.file(file), target: plan.target ?? "/run/secrets/\(id)", readOnly: true))
    }

    private func addAgent(_ plan: MountPlan, _ number: Int, to command: inout BuildRun) throws(EscaleError) {
        let id = plan.mount.id ?? "default"
        guard let socket = build.request.agents[id] else {
            guard plan.mount.isRequired else { return }
            throw EscaleError(
                .init("build.ssh"),
                "the SSH agent \"\(id)\" was not given",
                hint:
                    "start one (`eval $(ssh-agent); ssh-add`), and add it under `build.ssh` or with --ssh \(id)"
            )
        }
        guard try plan.number("uid", \.uid) ?? 0 == 0, try plan.number("gid", \.gid) ?? 0 == 0,
            try plan.number("mode", \.mode, radix: 8) ?? 0o600 == 0o600
        else {
            throw EscaleError(
                .init("build.ssh"),
                "an SSH agent's socket is root's alone here: uid, gid and mode of --mount=type=ssh have no effect",
                hint: "leave them out, and use the agent in a RUN before USER"
            )
        }
        let target = plan.target ?? "/run/buildkit/ssh_agent.\(number)"
        command.mounts.append(.init(.bind(source: socket), target: target))
        command.environment["SSH_AUTH_SOCK"] = target
    }
}
