package import EscaleCompose
package import EscaleCore

/// Builds images of a project's services.
package struct BuildRequest: Codable, Sendable {
    package struct Item: Codable, Sendable {
        package var service: ServiceName
        package var build: Build
        /// The name that the image gets.
        package var image: String

        package init(service: ServiceName, build: Build, image: String) {
            self.service = service
            self.build = build
            self.image = image
        }
    }

    package var items: [Item]
    package var noCache: Bool

    package init(items: [Item], noCache: Bool = false) {
        self.items = items
        self.noCache = noCache
    }
}

package struct BuildResult: Codable, Hashable, Sendable {
    /// Image IDs by service.
    package var images: [ServiceName: String]
    package init(images: [ServiceName: String]) { self.images = images }
}

package struct ImageSummary: Codable, Hashable, Sendable {
    /// `sha256:…` of its configuration.
    package var id: String
    /// Familiar names with tags; empty for one that lost its name.
    package var names: [String]
    package var size: ByteCount
    package var createdAt: Timestamp

    package init(id: String, names: [String], size: ByteCount, createdAt: Timestamp) {
        self.id = id
        self.names = names
        self.size = size
        self.createdAt = createdAt
    }
}

package struct ImageRemoval: Codable, Hashable, Sendable {
    package var untagged: [String]
    package var deleted: [String]

    package init(untagged: [String], deleted: [String]) {
        self.untagged = untagged
        self.deleted = deleted
    }
}

package struct ImportRequest: Codable, Sendable {
    /// Absolute path of a root file system as tar, plain or compressed.
    package var path: String
    package var name: String

    package init(path: String, name: String) {
        self.path = path
        self.name = name
    }
}

/// Makes a minimal Debian base image from the host's own package sources.
package struct BootstrapRequest: Codable, Sendable {
    package var name: String
    package init(name: String) { self.name = name }
}
