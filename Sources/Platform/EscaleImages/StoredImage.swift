package import EscaleCore
package import EscaleOCI

/// An image that is in the store, complete with its layers.
package struct StoredImage: Hashable, Sendable {
    /// The digest of its configuration: the image's identity, as `docker images` shows it.
    package let id: Digest
    /// The digest of its manifest, which a registry would know it by.
    package let manifest: Digest
    /// Where it was pulled from or pushed to, such as `docker.io/library/nginx@sha256:…`; sorted.
    package var sources: [String] = []
    /// Sorted; empty for an image whose names were given to others.
    package var references: [ImageReference]
    package let config: ImageConfig
    /// The layers' diff IDs, bottom first.
    package var layers: [Digest] { config.rootfs.layers }
    /// What its files take, all layers together.
    package let size: ByteCount
    package let created: Timestamp

    /// What to call it in a message: its first name, else its short id.
    package var displayName: String { references.first?.familiar ?? id.short }
}

/// What the store knows of a layer beside its files.
struct LayerRecord: Codable, Hashable, Sendable {
    let layer: Digest
    /// The size of its uncompressed archive.
    let archiveBytes: Int64
    let contentBytes: Int64
    /// The archive that the layer came as, whose blob is kept: its bytes can't be made again from the files. `nil` for a
    /// layer that was made here.
    var original: Descriptor?
    /// What the layer came to when it was compressed for a registry.
    var compressed: Descriptor?
    /// The boot during which its files were written, until they are known to be on the disk.
    var unsyncedSince: String?
}

/// The store's one mutable file: which images there are and what they are called.
struct ImageIndex: Codable, Sendable {
    struct Entry: Codable, Sendable {
        var manifest: Digest
        let added: Timestamp
        var sources: [String]?
    }

    var version = 1
    /// By the image's id.
    var images: [String: Entry] = [:]
    /// By canonical reference.
    var references: [String: Digest] = [:]
    /// When each reference was last asked for at its registry.
    var pulled: [String: Timestamp]?
}
