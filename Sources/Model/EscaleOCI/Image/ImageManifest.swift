package import EscaleCore

/// Where a blob is found and what it is (OCI image specification, descriptor.md).
package struct Descriptor: Hashable, Codable, Sendable {
    package var mediaType: String
    package var digest: Digest
    /// In bytes.
    package var size: Int64
    package var annotations: [String: String]?

    package init(mediaType: String, digest: Digest, size: Int64, annotations: [String: String]? = nil) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
    }
}

/// The media types of the OCI image specification that Escale writes.
package enum MediaType {
    package static let manifest = "application/vnd.oci.image.manifest.v1+json"
    package static let config = "application/vnd.oci.image.config.v1+json"
    package static let tarLayer = "application/vnd.oci.image.layer.v1.tar"
    package static let gzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip"
}

/// What an image is made of (OCI image specification, manifest.md).
package struct ImageManifest: Hashable, Codable, Sendable {
    package var schemaVersion: Int
    package var mediaType: String?
    package var config: Descriptor
    /// Bottom first.
    package var layers: [Descriptor]
    package var annotations: [String: String]?

    package init(config: Descriptor, layers: [Descriptor], annotations: [String: String]? = nil) {
        schemaVersion = 2
        mediaType = MediaType.manifest
        self.config = config
        self.layers = layers
        self.annotations = annotations
    }
}
