package import EscaleCore
package import EscaleOCI
import EscaleSystem
import Synchronization

extension ImageStore {
    /// What the store takes on the disk, and what of it a prune would free.
    package struct Usage: Sendable {
        package var images: (total: Int, active: Int, size: Int64, reclaimable: Int64) = (0, 0, 0, 0)
        package var cache: (records: Int, size: Int64) = (0, 0)
        package var registry: (manifests: Int, size: Int64) = (0, 0)
    }

    /// - Parameter inUse: the images that containers were made from.
    package func usage(inUse: Set<Digest>) async throws -> Usage {
        try await blocking {
            let (images, layers) = self.state.withLock { ($0.images, $0.layers) }
            func size(_ digests: Set<Digest>) -> Int64 {
                digests.reduce(0) { sum, layer in
                    let record = layers[layer]
                    return sum + (record?.contentBytes ?? 0) + (record?.original?.size ?? 0)
                }
            }
            let all = images.values.reduce(into: Set<Digest>()) { $0.formUnion($1.layers) }
            let active = images.values.filter { inUse.contains($0.id) }
            let needed = active.reduce(into: Set<Digest>()) { $0.formUnion($1.layers) }
            var usage = Usage()
            usage.images = (images.count, active.count, size(all), size(all.subtracting(needed)))
            let cached = Set(layers.keys).subtracting(all)
            usage.cache = (try self.cacheRecords().count, size(cached))
            var parts: [Digest: Int64] = [:]
            for name in try self.repositories.names() {
                for manifest in try self.repositories.manifests(in: name) {
                    usage.registry.manifests += 1
                    for part in manifest.parts { parts[part.digest] = max(0, part.size) }
                }
            }
            // What images keep anyway is no more for the registry.
            for record in layers.values { if let original = record.original { parts[original.digest] = nil } }
            usage.registry.size = parts.values.reduce(0, +)
            return usage
        }
    }

    /// An image's steps as `docker image history` lists them, newest first: the size is of the layer that it made.
    package func history(of image: StoredImage) -> [(step: ImageHistory, size: ByteCount)] {
        let records = state.withLock { $0.layers }
        var layers = image.layers[...]
        return image.config.history.map { step in
            guard step.emptyLayer != true, let layer = layers.popFirst() else { return (step, ByteCount(0)) }
            return (step, ByteCount(records[layer]?.contentBytes ?? 0))
        }
        .reversed()
    }
}
