import EscaleArchive
package import EscaleCore
import EscaleCrypto
package import EscaleOCI
import EscaleSystem
import Glibc
import Synchronization

/// What comes from elsewhere: layers as archives, images as manifests. Nothing of it is believed before it is checked.
extension ImageStore {
    /// Unpacks a layer whose blob is in the store; one that is unpacked already costs nothing.
    ///
    /// - Parameters:
    ///   - blob: the archive, compressed or not; its size must be the blob's.
    ///   - layer: the digest that the uncompressed archive must have, as the image's configuration says.
    /// - Throws: `image.digest`, `archive.*`, `system.*`; the store is as before then.
    package func unpack(_ blob: Descriptor, as layer: Digest) async throws {
        try await blocking { try self.unpackBlob(blob, as: layer) }
    }

    private func unpackBlob(_ blob: Descriptor, as layer: Digest) throws {
        if hasLayer(layer) { return }
        let source = FileSource(
            try openBlob(blob.digest),
            name: "layer \(blob.digest.short)",
            count: blob.size
        )
        let area = try makeWorkArea()
        defer { discard(area) }
        var record = try unpack(
            source,
            "layer \(blob.digest.short)",
            size: blob.size,
            into: area.upper,
            as: layer
        )
        record.original = blob
        try putInPlace(area.upper, record)
    }

    /// Unpacks an archive into a directory and gives what is known of the layer then.
    ///
    /// - Parameter size: of the compressed archive, in bytes.
    func unpack(
        _ source: any ByteSource,
        _ name: String,
        size: Int64,
        into directory: String,
        as expected: Digest?
    ) throws -> LayerRecord {
        let limits = layerLimits
        var consumed: Int64 = 0
        var hasher: SHA256? = SHA256()
        var archiveBytes: Int64 = 0
        let counted = ObservedSource(source) { consumed += Int64($0.count) }
        let plain = ObservedSource(try decompressed(counted, name)) { piece in
            archiveBytes += Int64(piece.count)
            guard archiveBytes <= limits.archiveBytes,
                archiveBytes < 1 << 30 || archiveBytes / limits.ratio <= size
            else { throw EscaleError.archiveBomb(name, archiveBytes, size) }
            hasher?.update(piece)
        }
        let measure = try unpackLayer(
            try ArchiveReader(plain, name: name),
            into: directory,
            name: name,
            limits: limits,
            consumed: { consumed }
        )
        // The digest is of all bytes, those behind the archive's end too.
        try plain.drain()
        guard let digest = hasher.take()?.finish() else { throw EscaleError(.internalFault, "no digest") }
        if let expected, expected != digest {
            throw EscaleError.wrongDigest("uncompressed \(name)", expected: expected, found: digest)
        }
        return LayerRecord(
            layer: digest,
            archiveBytes: archiveBytes,
            contentBytes: measure.contentBytes,
            unsyncedSince: bootID
        )
    }

    private func decompressed(_ source: any ByteSource, _ name: String) throws -> any ByteSource {
        let first = try source.next()
        let again = PeekedSource(first, source)
        return Compression(of: first) == .none ? again : try Decompressor(again, name: name)
    }

    /// Makes the directory, which is in a work area, the layer's.
    func putInPlace(_ directory: String, _ record: LayerRecord) throws {
        let place = "\(layersDirectory)/\(Self.layerName(record.layer))"
        if rename(directory, place) != 0 {
            let error = Errno.current
            // Somebody else has just made the same layer.
            guard error.code == ENOTEMPTY || error.code == EEXIST else {
                throw error.during("move a layer to \(place)")
            }
            try Files.remove(directory)
            if hasLayer(record.layer) { return }
        }
        try Self.makeShortName(record.layer, in: layersDirectory)
        try write(record)
        state.withLock { $0.layers[record.layer] = record }
    }

    static func makeShortName(_ layer: Digest, in directory: String) throws {
        let link = "\(directory)/\(shortName(layer))"
        guard Files.linkTarget(link) != layerName(layer) else { return }
        try Files.remove(link)
        guard symlink(layerName(layer), link) == 0 || errno == EEXIST else {
            throw Errno.current.during("make a short name for layer \(layer.short)")
        }
    }

    /// Adds an image whose configuration, manifest and layers came from elsewhere and are here now.
    ///
    /// Not durable at once: what a crash of the machine takes can be had again from where it came from. It never leaves
    /// half an image.
    /// - Parameters:
    ///   - config: its bytes, whose digest is the image's id.
    ///   - manifest: its bytes; `nil` to write one.
    ///   - source: where it came from, such as `docker.io/library/nginx@sha256:…`.
    /// - Throws: `image.manifest` for what is no configuration; `image.layer-missing`; `system.*`.
    package func addImage(
        config bytes: [UInt8],
        manifest: [UInt8]?,
        references: [ImageReference],
        source: String? = nil
    ) async throws -> StoredImage {
        try await blocking {
            let config = try Self.decodeConfig(bytes)
            let id = try self.addBlob(bytes)
            let manifest = try self.addBlob(manifest ?? self.plainManifest(id, Int64(bytes.count), config))
            try self.update { state in
                var entry = state.index.images[id.description] ?? .init(manifest: manifest, added: .now)
                entry.manifest = manifest
                if let source {
                    entry.sources = Set((entry.sources ?? []) + [source]).sorted()
                    for reference in references {
                        state.index.pulled = (state.index.pulled ?? [:]).merging([reference.canonical: .now])
                        { $1 }
                    }
                }
                try state.put(entry, id: id, config: config, references: references)
            }
            self.syncLayersLater()
            return try self.image(id.description)
        }
    }

    /// When the reference was last pulled; `nil` for what never was.
    package func lastPull(_ reference: ImageReference) -> Timestamp? {
        state.withLock { $0.index.pulled?[reference.canonical] }
    }

    /// Remembers that a registry has the image now, by that manifest.
    package func recordPush(_ id: Digest, manifest: [UInt8], source: String) async throws {
        try await blocking {
            let digest = try self.addBlob(manifest)
            try self.update { state in
                guard var entry = state.index.images[id.description], let image = state.images[id] else {
                    return
                }
                entry.manifest = digest
                entry.sources = Set((entry.sources ?? []) + [source]).sorted()
                try state.put(entry, id: id, config: image.config, references: [])
            }
        }
    }

    /// - Throws: `image.manifest` where it isn't one.
    package static func decodeConfig(_ bytes: [UInt8]) throws(EscaleError) -> ImageConfig {
        do {
            let config = try decodeJSON(ImageConfig.self, from: bytes)
            guard config.rootfs.layers.count <= ImageManifest.maximalLayers else {
                throw EscaleError.badManifest(
                    "its configuration has too many layers: \(config.rootfs.layers.count)"
                )
            }
            return config
        } catch let error as EscaleError {
            throw error
        } catch {
            throw .badManifest("its configuration can't be read: \(describe(error))")
        }
    }

    /// A manifest of the layers as they are here, not compressed.
    func plainManifest(_ id: Digest, _ size: Int64, _ config: ImageConfig) throws -> [UInt8] {
        let records = state.withLock { $0.layers }
        return try encodeJSON(
            ImageManifest(
                config: Descriptor(mediaType: MediaType.config, digest: id, size: size),
                layers: try config.rootfs.layers.map { layer in
                    guard let record = records[layer] else { throw EscaleError.missingLayer(layer) }
                    return Descriptor(mediaType: MediaType.tarLayer, digest: layer, size: record.archiveBytes)
                }
            )
        )
    }

    /// Makes layers durable, soon.
    private func syncLayersLater() {
        // A thread that can't be had now is had with the next image.
        try? startThread { [weak self] in try? self?.syncLayers() }
    }

    /// What a layer may take: no more than there is room for.
    private var layerLimits: LayerLimits {
        var limits = LayerLimits()
        if let free = freeSpace(root) { limits.contentBytes = max(free, 1 << 20) }
        return limits
    }
}

/// Bytes free for use on the file system that the path is on; `nil` where that can't be known.
package func freeSpace(_ path: String) -> Int64? {
    var info = statvfs()
    guard statvfs(path, &info) == 0 else { return nil }
    let (bytes, overflow) = Int64(clamping: info.f_bavail).multipliedReportingOverflow(
        by: Int64(clamping: info.f_frsize)
    )
    return overflow ? .max : bytes
}

/// A source whose first piece was looked at already.
private final class PeekedSource: ByteSource {
    private var first: UnsafeRawBufferPointer?
    private let rest: any ByteSource

    init(_ first: UnsafeRawBufferPointer, _ rest: any ByteSource) {
        self.first = first
        self.rest = rest
    }

    func next() throws -> UnsafeRawBufferPointer {
        if let piece = first.take() { return piece }
        return try rest.next()
    }
}
