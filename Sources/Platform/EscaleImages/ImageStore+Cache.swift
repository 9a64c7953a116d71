import EscaleArchive
package import EscaleCore
import EscaleSystem
import Glibc
import Synchronization

/// What a build step came to, to be used again when the same step comes with the same inputs.
package struct CacheRecord: Codable, Hashable, Sendable {
    /// All layers after the step, bottom first.
    package var layers: [Digest]
    /// Whatever else the builder wants to know.
    package var note: String?

    package init(layers: [Digest], note: String? = nil) {
        self.layers = layers
        self.note = note
    }
}

extension ImageStore {
    /// The record of a step; `nil` where there is none, or some of its layers are gone.
    package func cacheRecord(_ key: Digest) -> CacheRecord? {
        // An unreadable record is as good as none: the step runs again and replaces it.
        guard let bytes = try? Files.read(cachePath(key)),
            let record = try? decodeJSON(CacheRecord.self, from: bytes)
        else { return nil }
        return state.withLock { state in record.layers.allSatisfy { state.layers[$0] != nil } } ? record : nil
    }

    /// Remembers what a step came to. Atomic.
    package func setCacheRecord(_ record: CacheRecord, for key: Digest) throws {
        try Files.replace(cachePath(key), try encodeJSON(record))
    }

    private func cachePath(_ key: Digest) -> String { "\(root)/cache/\(key.hex).json" }

    func cacheRecords() throws -> [(name: String, record: CacheRecord)] {
        try Files.list("\(root)/cache").compactMap { name in
            guard let bytes = try? Files.read("\(root)/cache/\(name)"),
                let record = try? decodeJSON(CacheRecord.self, from: bytes)
            else { return nil }
            return (name, record)
        }
    }

    /// Removes the records of steps that made, or built upon, one of these layers.
    func forgetCache(of layers: Set<Digest>) throws {
        guard !layers.isEmpty else { return }
        for (name, record) in try cacheRecords() where !layers.isDisjoint(with: record.layers) {
            try Files.remove("\(root)/cache/\(name)")
        }
    }
}
