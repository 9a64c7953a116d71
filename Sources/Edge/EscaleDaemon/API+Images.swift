import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleSupervisor
import EscaleSystem

/// `image …`: the store's contents.
extension API {
    func image(_ verb: String, _ request: HTTPRequest) async throws -> HTTPResponse {
        let images = platform.images
        switch (request.method, verb) {
        case (.get, ""): return try json(images.list().map(ImageSummary.init))
        case (.get, "inspect"):
            return HTTPResponse(
                .ok, headers: Self.headers("application/json"), body: try images.inspectJSON(try name(request)))
        case (.delete, ""):
            let removal = try await images.remove(
                try name(request), force: request.query["force"] == "1", inUse: try await supervisor.imagesInUse())
            return try json(
                EscaleAPI.ImageRemoval(
                    untagged: removal.untagged.map(\.familiar), deleted: removal.deleted.map(\.description)))
        case (.post, "import"):
            let body: ImportRequest = try decode(request)
            let reference = try ImageReference(body.name)
            return lines { progress in
                progress(ProgressEvent("Image \(reference)", .working, "Importing", at: .now))
                let image = try await images.importTar(body.path, as: reference)
                progress(ProgressEvent("Image \(reference)", .done, "Imported", at: .now))
                return ImageSummary(image)
            }
        case (.get, "history"):
            let image = try images.image(try name(request))
            return try json(
                images.history(of: image).map { step, size in
                    HistoryEntry(
                        createdAt: step.created, createdBy: step.createdBy ?? "", size: size, comment: step.comment ?? "")
                })
        case (.post, "pull"): return try pull(try decode(request))
        case (.post, "push"): return try push(try decode(request))
        case (.post, "load"): return try load(try decode(request))
        case (.post, "save"): return try save(try decode(request))
        case (.post, "tag"):
            let body: TagRequest = try decode(request)
            try await images.tag(body.image, as: try ImageReference(body.name))
            return try json(Empty())
        case (.post, "prune"): return try await prune(all: request.query["all"] == "1")
        case (.post, "check"): return check(repairing: request.query["repair"] == "1")
        case (.post, "bootstrap"): return try bootstrap(try decode(request))
        default: throw Self.noSuchRoute(request)
        }
    }

    private func load(_ request: LoadRequest) throws -> HTTPResponse {
        let platform = try request.platform.map { try ImagePlatform($0) } ?? .host
        return lines { progress in
            let subject = "Archive \(request.path)"
            progress(ProgressEvent(subject, .working, "Loading", at: .now))
            let images = try await self.platform.images.load(request.path, platform: platform)
            progress(ProgressEvent(subject, .done, "Loaded", at: .now))
            return images.map(ImageSummary.init)
        }
    }

    private func save(_ request: SaveRequest) throws -> HTTPResponse {
        guard let format = ImageArchiveFormat(rawValue: request.format) else {
            throw EscaleError(.invalidInput, "there is no archive format \(request.format)")
        }
        return lines { progress in
            let subject = "Archive \(request.path)"
            progress(ProgressEvent(subject, .working, "Saving", at: .now))
            try await platform.images.save(request.images, to: request.path, format: format)
            progress(ProgressEvent(subject, .done, "Saved", at: .now))
            return Empty()
        }
    }

    private func prune(all: Bool) async throws -> HTTPResponse {
        let (removal, freed) = try await platform.images.prune(
            all: all, inUse: try await supervisor.imagesInUse())
        return try json(
            PruneResult(
                untagged: removal.untagged.map(\.familiar), deleted: removal.deleted.map(\.description), freed: freed))
    }

    /// Everything that nothing needs which runs.
    func pruneSystem(all: Bool, volumes: Bool) -> HTTPResponse {
        lines { progress in
            let pruned = try await supervisor.prune(volumes: volumes, observer: progress)
            let (removal, freed) = try await platform.images.prune(all: all, inUse: try await supervisor.imagesInUse())
            return SystemPruneResult(
                containers: pruned.containers, networks: pruned.networks, volumes: pruned.volumes,
                images: PruneResult(
                    untagged: removal.untagged.map(\.familiar), deleted: removal.deleted.map(\.description), freed: freed),
                freed: ByteCount(pruned.freed.rawValue + freed.rawValue))
        }
    }

    private func check(repairing: Bool) -> HTTPResponse {
        lines { progress in
            let findings = try await platform.images.examine(repairing: repairing) {
                progress(ProgressEvent("Image store", .working, "Checking", reason: $0, at: .now))
            }
            progress(ProgressEvent("Image store", .done, "Checked", at: .now))
            return StoreCheck(problems: findings.problems, repaired: findings.repaired)
        }
    }

    func diskUsage() async throws -> DiskUsage {
        let usage = try await platform.images.usage(inUse: try await supervisor.imagesInUse())
        let (containers, volumes) = try await supervisor.diskUsage()
        return DiskUsage(items: [
            .init(
                type: "Images", total: usage.images.total, active: usage.images.active,
                size: ByteCount(usage.images.size), reclaimable: ByteCount(usage.images.reclaimable)),
            containers, volumes,
            .init(
                type: "Build Cache", total: usage.cache.records, active: 0, size: ByteCount(usage.cache.size),
                reclaimable: ByteCount(usage.cache.size)),
            .init(
                type: "Registry", total: usage.registry.manifests, active: usage.registry.manifests,
                size: ByteCount(usage.registry.size), reclaimable: ByteCount(0)),
        ])
    }

    private func name(_ request: HTTPRequest) throws(EscaleError) -> String {
        guard let name = request.query["name"], !name.isEmpty else {
            throw EscaleError(.invalidInput, "the request names no image", hint: "add `?name=NAME`")
        }
        return name
    }
}

extension ImageSummary {
    init(_ image: StoredImage) {
        self.init(
            id: image.id.description, names: image.references.map(\.familiar), size: image.size,
            createdAt: image.created)
    }
}
