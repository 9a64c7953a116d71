package import EscaleCore
import EscaleCrypto
package import EscaleOCI
import EscaleSystem
import Synchronization

extension ImageStore {
    /// Adds an image whose layers are in the store, and gives it the references, taking them from other images.
    ///
    /// The configuration's layers are set to those given. Durable once it returns.
    /// - Parameter layers: diff IDs, bottom first.
    /// - Throws: `image.layer-missing`, `system.*`.
    package func createImage(
        _ config: ImageConfig,
        layers: [Digest],
        references: [ImageReference]
    ) async throws -> StoredImage {
        try await blocking { try self.create(config, layers: layers, references: references) }
    }

    /// Gives an image one more reference, taking it from the image that has it.
    ///
    /// - Throws: `image.not-found`, `image.ambiguous`, `system.*`.
    package func tag(_ text: String, as reference: ImageReference) async throws {
        let image = try image(text)
        try await blocking { try self.update { state in state.give([reference], to: image.id) } }
    }

    func create(_ given: ImageConfig, layers: [Digest], references: [ImageReference]) throws -> StoredImage {
        var config = given
        config.rootfs.layers = layers
        let bytes = try encodeJSON(config)
        let id = SHA256.digest(of: bytes)
        if let same = state.withLock({ $0.images[id] }), Set(references).isSubset(of: same.references) {
            return same
        }
        let records = state.withLock { $0.layers }
        let manifest = ImageManifest(
            config: Descriptor(mediaType: MediaType.config, digest: id, size: Int64(bytes.count)),
            layers: try layers.map { layer in
                guard let record = records[layer] else { throw EscaleError.missingLayer(layer) }
                return Descriptor(mediaType: MediaType.tarLayer, digest: layer, size: record.archiveBytes)
            }
        )
        let manifestBytes = try encodeJSON(manifest)
        let manifestDigest = SHA256.digest(of: manifestBytes)
        try Files.replace(blobPath(id), bytes, sync: true)
        try Files.replace(blobPath(manifestDigest), manifestBytes, sync: true)
        try syncLayers()
        let added = Timestamp.now
        try update { state in
            let entry = state.index.images[id.description] ?? .init(manifest: manifestDigest, added: added)
            try state.put(entry, id: id, config: config, references: references)
        }
        return try image(id.description)
    }

    /// Changes the state in memory and on the disk, or neither.
    func update(_ change: (inout State) throws -> Void) throws {
        try state.withLock { state in
            var changed = state
            try change(&changed)
            // Small and rare, and two writers must not overtake each other: so it is written under the lock.
            try Files.replace("\(root)/index.json", try encodeJSON(changed.index, pretty: true), sync: true)
            state = changed
        }
    }
}

extension ImageStore.State {
    /// Adds an image, or replaces what is known of it.
    mutating func put(
        _ entry: ImageIndex.Entry,
        id: Digest,
        config: ImageConfig,
        references: [ImageReference]
    ) throws {
        index.images[id.description] = entry
        images[id] = try StoredImage(
            id: id,
            entry: entry,
            references: images[id]?.references ?? [],
            config: config,
            layers: layers
        )
        give(references, to: id)
    }

    mutating func give(_ references: [ImageReference], to id: Digest) {
        for reference in references {
            if let previous = index.references[reference.canonical], previous != id {
                images[previous]?.references.removeAll { $0 == reference }
            }
            index.references[reference.canonical] = id
            if let image = images[id], !image.references.contains(reference) {
                images[id]?.references = (image.references + [reference]).sorted()
            }
        }
    }
}
