import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleImages
import EscaleOCI
import EscaleSystem

/// What is mounted into a container, decided when it is made.
extension ProjectSupervisor {
    /// All of it: the service's own, what it takes over of others, its secrets and configs.
    func mounts(of recipe: Recipe, slot: Int, layers: [String]) async throws -> [ContainerSpec.Mount] {
        var mounts = try await volumes(of: recipe, slot: slot, layers: layers)
        let own = Set(mounts.map(\.target))
        mounts += try await borrowedMounts(of: recipe).filter { !own.contains($0.target) }
        for (file, mount) in recipe.sharedFiles {
            if let kind = try await kind(of: file, mount, for: recipe.service.name) {
                mounts.append(.init(kind, target: mount.target, readOnly: true))
            }
        }
        if recipe.service.namespaces?.ipc == .named("host") {
            mounts.append(.init(.bind(source: "/dev/shm"), target: "/dev/shm"))
        }
        return mounts
    }

    private func volumes(of recipe: Recipe, slot: Int, layers: [String]) async throws -> [ContainerSpec.Mount] {
        var mounts: [ContainerSpec.Mount] = []
        for mount in recipe.mounts {
            var made: ContainerSpec.Mount
            switch mount.source {
            case .tmpfs(let size, let mode):
                made = .init(.tmpfs(size: size, mode: mode), target: mount.target, readOnly: mount.readOnly)
                made.options = mount.options?.words
            case .bind(let path, let create):
                made = .init(try await bind(path, create, mount, recipe), target: mount.target, readOnly: mount.readOnly)
                made.options = mount.bindWords
            case .image(let name):
                made = .init(try image(name, mount, recipe), target: mount.target, readOnly: true)
            case .cluster, .pipe:
                throw EscaleError.mountUnsupported(mount.target, service: recipe.service.name)
            case .volume, .anonymous:
                guard let volume = recipe.volume(of: mount, slot: slot) else { continue }
                if mount.source == .anonymous { try await adopt(volume) }
                let (kind, isReadOnly) = try await self.volume(volume, mount, recipe, layers: layers)
                made = .init(kind, target: mount.target, readOnly: mount.readOnly || isReadOnly)
                made.options = recipe.project.volumes.first { $0.name == volume }?.bindWords
            }
            made.isReadOnlyBelow = mount.isReadOnlyBelow
            mounts.append(made)
        }
        return mounts
    }

    private func bind(
        _ path: String, _ create: Bool, _ mount: Mount, _ recipe: Recipe
    ) async throws -> ContainerSpec.Mount.Kind {
        let service = recipe.service.name
        let propagation = mount.options?.propagation
        try await blocking {
            if create && !Files.exists(path) { try Files.createDirectories(path) }
            if !Files.exists(path) { throw EscaleError.bindSourceMissing(path, service: service) }
            if let propagation, propagation.leavesContainer, !HostMounts.isShared(path) {
                throw EscaleError.settingRefused(
                    "volumes", "\(path) lies on a mount that is not shared, so that \(propagation.rawValue) can't hold",
                    hint: "share it: mount --make-shared \(path), or leave out the propagation"
                ).of("service \(service)")
            }
        }
        if mount.options?.recursion == .disabled { return .prepared(PreparedMount(.flat(path), title: path)) }
        let isShared = [.shared, .rshared].contains(propagation)
        return isShared ? .prepared(PreparedMount(.shared(path), title: path)) : .bind(source: path)
    }

    private func image(_ name: String, _ mount: Mount, _ recipe: Recipe) throws -> ContainerSpec.Mount.Kind {
        let image: StoredImage
        do {
            image = try platform.images.image(name)
        } catch {
            throw EscaleError(wrapping: error).of("service \(recipe.service.name): \(mount.target)")
        }
        let layers = platform.images.lowerDirectories(of: image)
        return .prepared(PreparedMount(.layers(layers), subpath: mount.options?.subpath, title: "the image \(name)"))
    }

    /// A volume's place, filled from the image if it is empty, and whether its options forbid writing.
    private func volume(
        _ name: VolumeName, _ mount: Mount, _ recipe: Recipe, layers: [String]
    ) async throws -> (ContainerSpec.Mount.Kind, isReadOnly: Bool) {
        let volume = recipe.project.volumes.first { $0.name == name }
        let subpath = mount.options?.subpath
        let source: PreparedMount.Source
        if let directory = volume?.boundDirectory {
            guard try await blocking({ Files.isDirectory(directory) }) else {
                throw EscaleError.bindSourceMissing(directory, service: recipe.service.name)
            }
            source = .directory(directory)
        } else if let options = volume?.options?.driverOptions, let device = options["device"] {
            let words = try await blocking { try HostMounts.resolved(volume?.mountWords ?? []) }
            source = .fileSystem(.init(type: options["type"] ?? "none", device: device, options: words))
        } else {
            if mount.options?.keepsEmpty != true, subpath == nil {
                try await seed(name, layers: layers, path: mount.target)
            }
            source = .directory(platform.volumes.path(name))
        }
        let isReadOnly = volume?.mountWords.contains("ro") == true
        if case .directory(let path) = source, subpath == nil { return (.bind(source: path), isReadOnly) }
        return (.prepared(PreparedMount(source, subpath: subpath, title: "the volume \(name)")), isReadOnly)
    }

    /// Volumes and bind mounts of the services and containers that `volumes_from` names.
    private func borrowedMounts(of recipe: Recipe) async throws -> [ContainerSpec.Mount] {
        var mounts: [ContainerSpec.Mount] = []
        for source in recipe.service.volumesFrom ?? [] {
            var borrowed: [ContainerSpec.Mount]
            switch source.owner {
            case .service(let name):
                let versions = recipes.filter { $0.key.service == name }
                guard let other = versions.max(by: { $0.key.generation < $1.key.generation })?.value else {
                    throw EscaleError.lenderMissing("of service \(name)", service: recipe.service.name)
                }
                let image = try platform.images.image(other.imageID.description)
                borrowed = try await volumes(of: other, slot: 1, layers: platform.images.lowerDirectories(of: image))
            case .container(let name):
                guard let other = await platform.network.container(named: name) else {
                    throw EscaleError.lenderMissing(name, service: recipe.service.name)
                }
                borrowed = other.blueprint.spec.mounts
            }
            borrowed.removeAll { mount in
                switch mount.kind {
                case .tmpfs, .file: true
                case .bind, .prepared: mounts.contains { $0.target == mount.target }
                }
            }
            if source.readOnly { for index in borrowed.indices { borrowed[index].readOnly = true } }
            mounts += borrowed
        }
        return mounts
    }

    /// A secret or a config as a mount. What has neither a text nor an owner and permissions of its own is the host's
    /// file itself, so that a change of it is seen at once.
    private func kind(
        of file: SharedFile, _ mount: SharedFileMount, for service: ServiceName
    ) async throws -> ContainerSpec.Mount.Kind? {
        func provided(_ contents: ProvidedFile.Contents) -> ContainerSpec.Mount.Kind {
            .file(ProvidedFile(contents, user: mount.uid ?? 0, group: mount.gid ?? 0, mode: (mount.mode ?? 0o444) & ~0o222))
        }
        if let content = file.content { return provided(.text(content)) }
        guard let source = file.file else { return nil }
        guard await (try? blocking { Files.exists(source) }) == true else {
            throw EscaleError.bindSourceMissing(source, service: service)
        }
        let isPlain = mount.uid == nil && mount.gid == nil && mount.mode == nil
        return isPlain ? .bind(source: source) : provided(.copy(of: source))
    }

    private func seed(_ volume: VolumeName, layers: [String], path: String) async throws {
        // One after the other: what the first image doesn't have, the next one may.
        let former = seedings[volume]
        let seeding = Task { [platform] in
            _ = await former?.result
            try await platform.volumes.seed(volume, from: layers, at: path)
        }
        seedings[volume] = seeding
        try await seeding.value
    }
}

extension Recipe {
    /// The images that the service's containers need besides their own; `nil` for none.
    func mountedImages(_ store: ImageStore) throws -> [Digest]? {
        let names = service.otherImages
        return names.isEmpty ? nil : try names.map { try store.image($0).id }
    }
}

extension Mount {
    /// The OCI runtime's words for a bind mount; `nil` for the usual ones.
    fileprivate var bindWords: [String]? {
        guard let options, options.propagation != nil || options.recursion != nil else { return nil }
        return [options.recursion == .disabled ? "bind" : "rbind", options.propagation?.rawValue ?? "rprivate"]
    }

    /// Whether what is mounted below a read-only mount can't be written either: as in Docker, if the kernel can do that.
    fileprivate var isReadOnlyBelow: Bool? {
        switch options?.recursion {
        case .readonly: true
        case .writable, .disabled: nil
        case .enabled, nil: HostMounts.canForbidWritingBelow ? true : nil
        }
    }
}

extension Volume {
    /// The OCI runtime's words for binding what the options mount, which would lose those of it; `nil` for the usual ones.
    fileprivate var bindWords: [String]? {
        let kept = mountWords.filter { ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "strictatime"].contains($0) }
        return kept.isEmpty ? nil : ["rbind", "rprivate"] + kept
    }
}

extension MountOptions.Propagation {
    /// Whether mounts of the host are to be seen in the container, or the other way round.
    fileprivate var leavesContainer: Bool {
        switch self {
        case .private, .rprivate: false
        case .shared, .rshared, .slave, .rslave: true
        }
    }
}

extension EscaleError {
    fileprivate static func lenderMissing(_ name: String, service: ServiceName) -> Self {
        Self(
            .init("mount.lender-missing"),
            "service \(service): volumes_from: there is no container \(name)",
            hint: "bring that up first; `escale ps -a` and `escale ls` show what there is")
    }
}
