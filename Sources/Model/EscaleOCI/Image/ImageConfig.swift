package import EscaleCore

/// An image's configuration (OCI image specification, config.md, with Docker's additions). Its digest is the image's
/// identity.
package struct ImageConfig: Hashable, Codable, Sendable {
    package var created: Timestamp?
    package var author: String?
    /// As Go names it: `amd64`, `arm64`.
    package var architecture: String
    package var os: String
    package var variant: String?
    /// What a container gets that says nothing else.
    package var config: ImageDefaults
    package var rootfs: RootFileSystem
    /// One for each instruction, oldest first.
    package var history: [ImageHistory]

    package init(
        created: Timestamp? = nil,
        architecture: String,
        os: String = "linux",
        config: ImageDefaults = ImageDefaults(),
        layers: [Digest] = [],
        history: [ImageHistory] = []
    ) {
        self.created = created
        self.architecture = architecture
        self.os = os
        self.config = config
        rootfs = RootFileSystem(layers: layers)
        self.history = history
    }

    private enum CodingKeys: String, CodingKey {
        case created, author, architecture, os, variant, config, rootfs, history
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        created = try values.decodeIfPresent(Timestamp.self, forKey: .created)
        author = try values.decodeIfPresent(String.self, forKey: .author)
        architecture = try values.decode(String.self, forKey: .architecture)
        os = try values.decode(String.self, forKey: .os)
        variant = try values.decodeIfPresent(String.self, forKey: .variant)
        config = try values.decodeIfPresent(ImageDefaults.self, forKey: .config) ?? ImageDefaults()
        rootfs = try values.decode(RootFileSystem.self, forKey: .rootfs)
        history = try values.decodeIfPresent([ImageHistory].self, forKey: .history) ?? []
    }
}

/// The layers' identities: the digests of their uncompressed archives.
package struct RootFileSystem: Hashable, Codable, Sendable {
    package var type = "layers"
    /// Bottom first.
    package var layers: [Digest]

    package init(layers: [Digest]) { self.layers = layers }

    private enum CodingKeys: String, CodingKey {
        case type
        case layers = "diff_ids"
    }
}

/// One line of an image's history.
package struct ImageHistory: Hashable, Codable, Sendable {
    package var created: Timestamp?
    package var createdBy: String?
    package var comment: String?
    /// Whether it made no layer.
    package var emptyLayer: Bool?

    package init(
        created: Timestamp? = nil,
        createdBy: String? = nil,
        comment: String? = nil,
        emptyLayer: Bool = false
    ) {
        self.created = created
        self.createdBy = createdBy
        self.comment = comment
        self.emptyLayer = emptyLayer ? true : nil
    }

    private enum CodingKeys: String, CodingKey {
        case created, comment
        case createdBy = "created_by"
        case emptyLayer = "empty_layer"
    }
}
