import EscaleArchive
package import EscaleCore
import EscaleCrypto
package import EscaleOCI
import EscaleSystem
import Glibc

/// An image in an archive, before it is in the store.
private struct ArchivedImage {
    let references: [ImageReference]
    let config: [UInt8]
    /// `nil` where the archive has none.
    let manifest: [UInt8]?
    /// Files of the archive, bottom first, with the digest that each must have; `nil` where the archive names none.
    let layers: [(name: String, descriptor: Descriptor?)]
}

extension ImageStore {
    /// Takes the images out of an archive that `docker save`, `podman save`, `skopeo` or `escale image save` made.
    ///
    /// - Parameters:
    ///   - path: a docker-archive or an archive of an OCI image layout, compressed or not.
    ///   - platform: which image of several is taken where an index has one a platform, such as `linux/amd64`.
    /// - Returns: the images, in the archive's order.
    /// - Throws: `image.manifest`, `image.digest`, `archive.*`, `system.*`. Images before the one that failed stay.
    package func load(
        _ path: String,
        platform: ImagePlatform = .host,
        loaded: @escaping @Sendable (StoredImage) -> Void = { _ in }
    ) async throws -> [StoredImage] {
        let lease = lease()
        defer { withExtendedLifetime(lease) {} }
        let area = try await blocking { try self.makeWorkArea() }
        do {
            let images = try await load(path, platform, area, loaded)
            try await blocking { self.discard(area) }
            return images
        } catch {
            try await blocking { self.discard(area) }
            throw error
        }
    }

    private func load(
        _ path: String,
        _ platform: ImagePlatform,
        _ area: WorkArea,
        _ loaded: @Sendable (StoredImage) -> Void
    ) async throws -> [StoredImage] {
        let found = try await blocking {
            let archive = try ImageArchive(path, scratch: area.path + "/archive")
            return (archive, try archive.images(for: platform))
        }
        var images: [StoredImage] = []
        for image in found.1 {
            let config = try Self.decodeConfig(image.config)
            guard config.rootfs.layers.count == image.layers.count else {
                throw EscaleError.badManifest(
                    "its configuration names \(config.rootfs.layers.count) layers and its manifest \(image.layers.count)"
                )
            }
            try await withThrowingTaskGroup { group in
                for (layer, file) in zip(config.rootfs.layers, image.layers) {
                    group.addTask {
                        try await blocking {
                            try self.take(file.name, file.descriptor, of: found.0, as: layer)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let stored = try await addImage(
                config: image.config,
                manifest: image.manifest,
                references: image.references
            )
            loaded(stored)
            images.append(stored)
        }
        return images
    }

    private func take(_ name: String, _ known: Descriptor?, of archive: ImageArchive, as layer: Digest) throws
    {
        guard !hasLayer(layer) else { return }
        let part = try archive.part(name)
        if let known, known.size != part.size {
            throw EscaleError.badManifest(
                "layer \(known.digest.short) has another size than its manifest says"
            )
        }
        let area = try makeWorkArea()
        defer { discard(area) }
        let compression = try Compression(startOf: archive.source(part, name))
        var original = Descriptor(mediaType: MediaType.tarLayer, digest: layer, size: part.size)
        if compression != .none || (known.map { $0.digest != layer } ?? false) {
            let blob = try newBlob()
            let source = archive.source(part, name)
            while true {
                let piece = try source.next()
                if piece.isEmpty { break }
                try blob.write(piece)
            }
            original.digest = try blob.commit(known?.digest)
            original.mediaType = known?.mediaType ?? "\(MediaType.tarLayer)+\(compression)"
        }
        var record = try unpack(
            archive.source(part, name),
            "layer \(name)",
            size: part.size,
            into: area.upper,
            as: layer
        )
        record.original = original
        // Not compressed, the blob's digest is the layer's: it was just checked.
        if original.digest == layer { try copyBlob(archive, part, layer, area) }
        try putInPlace(area.upper, record)
    }

    private func copyBlob(
        _ archive: ImageArchive,
        _ part: ImageArchive.Part,
        _ digest: Digest,
        _ area: WorkArea
    ) throws {
        let path = "\(area.path)/blob"
        let target = try FileDescriptor(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        try copyRange(archive.file, from: part.offset, count: part.size, to: target)
        try check("put a blob into place") { rename(path, blobPath(digest)) }
    }
}

extension ImageArchive {
    /// The images that the archive holds.
    fileprivate func images(for platform: ImagePlatform) throws -> [ArchivedImage] {
        if has("manifest.json") { return try dockerImages() }
        if has("index.json") { return try ociImages(for: platform) }
        throw EscaleError(
            .init("image.archive-kind"),
            "\(path) holds no image: there is neither a manifest.json nor an index.json in it",
            hint: "to make an image of a root file system use `escale image import`"
        )
    }

    private struct DockerEntry: Decodable {
        let Config: String
        let RepoTags: [String]?
        let Layers: [String]
    }

    private func dockerImages() throws -> [ArchivedImage] {
        let entries = try json([DockerEntry].self, "manifest.json")
        guard !entries.isEmpty else {
            throw EscaleError.badManifest("manifest.json in \(path) names no image")
        }
        return try entries.map { entry in
            ArchivedImage(
                references: try (entry.RepoTags ?? []).map { try ImageReference($0) },
                config: try text(entry.Config),
                manifest: nil,
                layers: entry.Layers.map { ($0, nil) }
            )
        }
    }

    private func ociImages(for platform: ImagePlatform) throws -> [ArchivedImage] {
        let index = try json(ImageIndexDocument.self, "index.json")
        guard !index.manifests.isEmpty else {
            throw EscaleError.badManifest("index.json in \(path) names no image")
        }
        // Several platforms under one name are one image; several names are several.
        let groups = Dictionary(grouping: index.manifests) { $0.annotations?.imageName ?? "" }
        return try groups.sorted { $0.key < $1.key }.flatMap { name, entries -> [ArchivedImage] in
            let chosen =
                name.isEmpty && entries.allSatisfy { $0.platform == nil }
                ? entries : [try platform.choose(among: entries, what: path)]
            return try chosen.map { try ociImage($0, name, platform, depth: 0) }
        }
    }

    private func ociImage(_ entry: Descriptor, _ name: String, _ platform: ImagePlatform, depth: Int) throws
        -> ArchivedImage
    {
        let bytes = try blob(entry)
        if MediaType.isIndex(entry.mediaType) {
            guard depth < 4 else { throw EscaleError.badManifest("its indexes lead to each other, too deep") }
            let index = try decodeManifest(ImageIndexDocument.self, bytes, entry.digest)
            let inner = try platform.choose(among: index.manifests, what: name.isEmpty ? path : name)
            return try ociImage(inner, name, platform, depth: depth + 1)
        }
        guard MediaType.isManifest(entry.mediaType) else {
            throw EscaleError.badManifest("\(entry.mediaType) is no kind of image that is known here")
        }
        let manifest = try decodeManifest(ImageManifest.self, bytes, entry.digest)
        try manifest.check()
        return ArchivedImage(
            references: name.isEmpty ? [] : [try ImageReference(name)],
            config: try blob(manifest.config),
            manifest: bytes,
            layers: manifest.layers.map { ("blobs/sha256/\($0.digest.hex)", $0) }
        )
    }

    private func blob(_ descriptor: Descriptor) throws -> [UInt8] {
        let bytes = try text("blobs/sha256/\(descriptor.digest.hex)")
        let found = SHA256.digest(of: bytes)
        guard found == descriptor.digest else {
            throw EscaleError.wrongDigest("blob", expected: descriptor.digest, found: found)
        }
        guard Int64(bytes.count) == descriptor.size else {
            throw EscaleError.badManifest("blob \(found.short) has another size than its descriptor says")
        }
        return bytes
    }
}

/// - Throws: `image.manifest` where it isn't one.
package func decodeManifest<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ digest: Digest) throws
    -> Value
{
    do {
        return try decodeJSON(type, from: bytes)
    } catch {
        throw EscaleError.badManifest("manifest \(digest.short) can't be read: \(describe(error))")
    }
}

extension [String: String] {
    fileprivate var imageName: String? {
        if let name = self["io.containerd.image.name"] { return name }
        // Only a whole name: skopeo and podman also write a bare tag here.
        guard let name = self["org.opencontainers.image.ref.name"], name.contains("/") || name.contains(":")
        else {
            return nil
        }
        return name
    }
}
