package import EscaleCore
package import EscaleImages
import EscaleOCI

/// The build cache on its way to another machine: an ordinary image whose layers are those of the steps and whose label says
/// which step came to which of them. So any registry keeps it, and pulling and pushing are what they are for images.
extension Builder {
    /// An image, without a name, that holds what these steps came to.
    package func cacheImage(_ records: [Digest: CacheRecord]) async throws -> StoredImage {
        var layers: [Digest] = []
        var seen: Set<Digest> = []
        for record in records.sorted(by: { $0.key.hex < $1.key.hex }) {
            for layer in record.value.layers where seen.insert(layer).inserted { layers.append(layer) }
        }
        var config = ImageConfig(architecture: hostArchitecture())
        config.config.labels[CacheLabel.name] = try CacheLabel(records, within: layers).text()
        return try await store.createImage(config, layers: layers, references: [])
    }

    /// Takes over what an image tells of its steps.
    ///
    /// - Returns: how many steps.
    /// - Throws: `build.cache` for an image that tells nothing.
    package func importCache(of image: StoredImage) async throws -> Int {
        guard let text = image.config.config.labels[CacheLabel.name] else {
            throw EscaleError(.init("build.cache"), "\(image.displayName) holds no build cache")
        }
        let label = try CacheLabel(text)
        var count = 0
        for step in label.steps {
            guard let key = Digest(hex: step.key), step.layers.allSatisfy(image.layers.indices.contains)
            else { continue }
            let record = CacheRecord(layers: step.layers.map { image.layers[$0] }, note: step.note)
            try store.setCacheRecord(record, for: key)
            count += 1
        }
        return count
    }
}

/// What a label says of steps.
struct CacheLabel: Codable {
    static let name = "org.escale.build-cache"

    struct Step: Codable {
        let key: String
        /// Positions among the image's layers.
        let layers: [Int]
        let note: String?
    }

    let steps: [Step]

    /// Only steps whose layers are all among these.
    init(_ records: [Digest: CacheRecord], within layers: [Digest]) {
        let positions = Dictionary(layers.enumerated().map { ($0.element, $0.offset) }) { first, _ in first }
        steps = records.sorted { $0.key.hex < $1.key.hex }.compactMap { key, record in
            let places = record.layers.compactMap { positions[$0] }
            guard places.count == record.layers.count else { return nil }
            return Step(key: key.hex, layers: places, note: record.note)
        }
    }

    init(_ text: String) throws(EscaleError) {
        do {
            self = try decodeJSON(CacheLabel.self, from: Array(text.utf8))
        } catch {
            throw EscaleError(.init("build.cache"), "the build cache can't be read: \(describe(error))")
        }
    }

    func text() throws -> String { String(decoding: try encodeJSON(self), as: UTF8.self) }
}
