package import EscaleCore
package import EscaleOCI
import EscaleSystem
import Glibc
import Synchronization

/// What a removal did.
package struct ImageRemoval: Hashable, Codable, Sendable {
    package var untagged: [ImageReference] = []
    package var deleted: [Digest] = []

    package init() {}
}

/// Keeps layers that no image names yet from being collected, for as long as it lives.
package final class StoreLease: Sendable {
    private let end: @Sendable () -> Void
    init(end: @escaping @Sendable () -> Void) { self.end = end }
    deinit { end() }
}

extension ImageStore {
    /// Takes a name from an image, and deletes the image with its last name; or deletes an image by its id.
    ///
    /// Layers that nothing else needs go as well, together with the build cache's records of them.
    /// - Parameters:
    ///   - force: with an id, also an image that has several names; with a name, also the last one of an image in use,
    ///     which then stays without a name.
    ///   - inUse: the images that containers were made from. They are never deleted.
    /// - Throws: `image.not-found`, `image.in-use`.
    @discardableResult
    package func remove(_ text: String, force: Bool = false, inUse: Set<Digest> = []) async throws
        -> ImageRemoval
    {
        let image = try image(text)
        let reference = (try? ImageReference(text)).flatMap { image.references.contains($0) ? $0 : nil }
        var removal = ImageRemoval()
        if let reference {
            let isLast = image.references.count == 1
            guard !isLast || force || !inUse.contains(image.id) else { throw EscaleError.imageInUse(image) }
            removal.untagged = [reference]
            if isLast && !inUse.contains(image.id) { removal.deleted = [image.id] }
        } else {
            guard !inUse.contains(image.id) else { throw EscaleError.imageInUse(image) }
            guard force || image.references.count < 2 else { throw EscaleError.imageHasNames(image) }
            removal.untagged = image.references
            removal.deleted = [image.id]
        }
        return try await blocking { [removal] in
            try self.apply(removal)
            return removal
        }
    }

    /// Deletes images without a name and all of the build cache that no image is made of.
    ///
    /// - Parameter all: also images with names that no container was made from.
    /// - Returns: what was deleted, and how much that freed.
    package func prune(all: Bool = false, inUse: Set<Digest> = []) async throws -> (removal: ImageRemoval, freed: ByteCount) {
        try await blocking {
            let layersBefore = self.state.withLock { $0.layers }
            var removal = ImageRemoval()
            let unused = self.list().filter { ($0.references.isEmpty || all) && !inUse.contains($0.id) }
            removal.deleted = unused.map(\.id)
            removal.untagged = unused.flatMap(\.references)
            if self.state.withLock({ $0.leases == 0 }) {
                try Files.remove("\(self.root)/cache-mounts")
                for name in try Files.list("\(self.root)/cache") {
                    try Files.remove("\(self.root)/cache/\(name)")
                }
            }
            try self.apply(removal)
            let layersAfter = self.state.withLock { $0.layers }
            let freed = layersBefore.values.filter { layersAfter[$0.layer] == nil }.reduce(0) {
                $0 + $1.contentBytes
            }
            return (removal, ByteCount(freed))
        }
    }

    /// Holds off the collection of layers; for builds and imports, whose layers belong to no image yet.
    package func lease() -> StoreLease {
        state.withLock { $0.leases += 1 }
        return StoreLease { [weak self] in self?.endLease() }
    }

    private func endLease() {
        let isDue = state.withLock { state in
            state.leases -= 1
            return state.leases == 0 && state.collectionIsDue
        }
        // What can't be removed now is tried again with the next removal.
        if isDue { try? startThread { try? self.collect() } }
    }

    private func apply(_ removal: ImageRemoval) throws {
        var freed: Set<Digest> = []
        try update { state in
            for reference in removal.untagged {
                guard let id = state.index.references.removeValue(forKey: reference.canonical) else {
                    continue
                }
                state.images[id]?.references.removeAll { $0 == reference }
            }
            for id in removal.deleted {
                state.index.images[id.description] = nil
                if let image = state.images.removeValue(forKey: id) { freed.formUnion(image.layers) }
            }
            for image in state.images.values { freed.subtract(image.layers) }
        }
        try forgetCache(of: freed)
        try collect()
    }

    /// Removes what nothing needs any more. Nothing happens while a build, a pull or a push is under way: it is done after
    /// them.
    package func collectGarbage() async throws { try await blocking { try self.collect() } }

    /// Removes blobs and layers that neither an image, a registry's repository nor the build cache names.
    private func collect() throws {
        let cached = Set(try cacheRecords().flatMap(\.record.layers))
        // They leave the state and get out of the way in one step, so that nobody starts to use one.
        let area = try makeWorkArea()
        defer { discard(area) }
        try state.withLock { state in
            state.collectionIsDue = state.leases > 0
            guard state.leases == 0 else { return }
            let used = state.images.values.reduce(into: cached) { $0.formUnion($1.layers) }
            for layer in state.layers.keys where !used.contains(layer) {
                let name = Self.layerName(layer)
                try Files.remove("\(layersDirectory)/\(name).json")
                try Files.remove("\(layersDirectory)/\(Self.shortName(layer))")
                try check("remove layer \(layer.short)") {
                    rename("\(layersDirectory)/\(name)", "\(area.path)/\(name)")
                }
                state.layers[layer] = nil
            }
            var blobs = try repositories.heldBlobs()
            blobs.formUnion(state.images.values.flatMap { [$0.id.hex, $0.manifest.hex] })
            blobs.formUnion(state.layers.values.compactMap { $0.original?.digest.hex })
            for name in try Files.list("\(root)/blobs/sha256") where !blobs.contains(name) {
                try check("remove blob \(name)") {
                    rename("\(root)/blobs/sha256/\(name)", "\(area.path)/\(name).blob")
                }
            }
        }
    }
}
