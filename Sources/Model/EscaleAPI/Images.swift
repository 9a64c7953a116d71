package import EscaleCore

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

package struct LoadRequest: Codable, Sendable {
    /// Absolute path of an archive of images.
    package var path: String
    package var platform: String?

    package init(path: String, platform: String? = nil) {
        self.path = path
        self.platform = platform
    }
}

package struct SaveRequest: Codable, Sendable {
    package var images: [String]
    /// Absolute path of the archive to write.
    package var path: String
    /// `docker-archive` or `oci-archive`.
    package var format: String

    package init(images: [String], path: String, format: String) {
        self.images = images
        self.path = path
        self.format = format
    }
}

/// What was found wrong with the image store, a sentence each, and what was done about it.
package struct StoreCheck: Codable, Hashable, Sendable {
    package var problems: [String]
    package var repaired: [String]

    package init(problems: [String], repaired: [String]) {
        self.problems = problems
        self.repaired = repaired
    }
}

package struct PruneResult: Codable, Hashable, Sendable {
    package var untagged: [String]
    package var deleted: [String]
    package var freed: ByteCount

    package init(untagged: [String], deleted: [String], freed: ByteCount) {
        self.untagged = untagged
        self.deleted = deleted
        self.freed = freed
    }
}

/// What a prune of everything removed.
package struct SystemPruneResult: Codable, Hashable, Sendable {
    package var containers: [String]
    package var networks: [String]
    package var volumes: [String]
    package var images: PruneResult
    /// All of it together.
    package var freed: ByteCount

    package init(
        containers: [String], networks: [String], volumes: [String], images: PruneResult, freed: ByteCount
    ) {
        self.containers = containers
        self.networks = networks
        self.volumes = volumes
        self.images = images
        self.freed = freed
    }
}

/// What takes room on the disk.
package struct DiskUsage: Codable, Hashable, Sendable {
    package struct Item: Codable, Hashable, Sendable {
        /// `Images`, `Containers`, `Local Volumes`, `Build Cache`, `Registry`.
        package var type: String
        package var total: Int
        /// How many of them are in use.
        package var active: Int
        package var size: ByteCount
        /// What a prune would free.
        package var reclaimable: ByteCount

        package init(type: String, total: Int, active: Int, size: ByteCount, reclaimable: ByteCount) {
            self.type = type
            self.total = total
            self.active = active
            self.size = size
            self.reclaimable = reclaimable
        }
    }

    package var items: [Item]
    package init(items: [Item]) { self.items = items }
}

package struct TagRequest: Codable, Sendable {
    package var image: String
    package var name: String

    package init(image: String, name: String) {
        self.image = image
        self.name = name
    }
}

/// One step of an image, as `docker image history` shows it.
package struct HistoryEntry: Codable, Hashable, Sendable {
    package var createdAt: Timestamp?
    package var createdBy: String
    package var size: ByteCount
    package var comment: String

    package init(createdAt: Timestamp?, createdBy: String, size: ByteCount, comment: String) {
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.size = size
        self.comment = comment
    }
}
