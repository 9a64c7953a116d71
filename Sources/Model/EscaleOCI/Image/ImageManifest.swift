package import EscaleCore

/// Where a blob is found and what it is (OCI image specification, descriptor.md).
package struct Descriptor: Hashable, Codable, Sendable {
    package var mediaType: String
    package var digest: Digest
    /// In bytes.
    package var size: Int64
    package var annotations: [String: String]?
    /// In an index: what machines the image is for.
    package var platform: ImagePlatform?
    package var artifactType: String?
    /// Where else the blob is found. Escale never looks there.
    package var urls: [String]?

    package init(mediaType: String, digest: Digest, size: Int64, annotations: [String: String]? = nil) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
    }
}

/// The media types of the OCI image specification and of Docker's.
package enum MediaType {
    package static let manifest = "application/vnd.oci.image.manifest.v1+json"
    package static let index = "application/vnd.oci.image.index.v1+json"
    package static let config = "application/vnd.oci.image.config.v1+json"
    package static let tarLayer = "application/vnd.oci.image.layer.v1.tar"
    package static let gzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip"
    package static let zstdLayer = "application/vnd.oci.image.layer.v1.tar+zstd"
    /// What an image's configuration may be.
    package static let configs: Set = [config, "application/vnd.docker.container.image.v1+json"]
    /// Layers that can be unpacked here.
    package static let layers: Set = [
        tarLayer, gzipLayer, zstdLayer, "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.image.rootfs.diff.tar.zstd",
    ]
    package static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    package static let dockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json"

    package static func isManifest(_ type: String) -> Bool { type == manifest || type == dockerManifest }
    package static func isIndex(_ type: String) -> Bool { type == index || type == dockerIndex }

    /// The OCI name of what may have Docker's.
    package static func ociLayer(_ type: String) -> String {
        switch type {
        case "application/vnd.docker.image.rootfs.diff.tar.gzip": gzipLayer
        case "application/vnd.docker.image.rootfs.diff.tar": tarLayer
        default: type
        }
    }

    /// Whether a registry takes it as a layer that is compressed.
    package static func isCompressedLayer(_ type: String) -> Bool { layers.contains(type) && ociLayer(type) != tarLayer }

    /// What a client takes where it asks for an image.
    package static let acceptable = [manifest, index, dockerManifest, dockerIndex]
}

/// What an image is made of (OCI image specification, manifest.md).
package struct ImageManifest: Hashable, Codable, Sendable {
    package var schemaVersion: Int
    package var mediaType: String?
    package var artifactType: String?
    package var config: Descriptor
    /// Bottom first.
    package var layers: [Descriptor]
    package var subject: Descriptor?
    package var annotations: [String: String]?

    package init(config: Descriptor, layers: [Descriptor], annotations: [String: String]? = nil) {
        schemaVersion = 2
        mediaType = MediaType.manifest
        self.config = config
        self.layers = layers
        self.annotations = annotations
    }
}

/// Several images under one name, one a platform (OCI image specification, image-index.md).
package struct ImageIndexDocument: Hashable, Codable, Sendable {
    package var schemaVersion: Int
    package var mediaType: String?
    package var artifactType: String?
    package var manifests: [Descriptor]
    package var subject: Descriptor?
    package var annotations: [String: String]?

    package init(manifests: [Descriptor]) {
        schemaVersion = 2
        mediaType = MediaType.index
        self.manifests = manifests
    }
}
