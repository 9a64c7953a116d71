package import EscaleCore
package import EscaleOCI
import EscaleSystem
import Glibc

/// What a registry on this store serves: repositories with their manifests, tags and blobs. The blobs themselves are the
/// store's, each once.
///
/// One directory a repository, one small file a fact, each written in one step: whatever instant the process dies at, what
/// was answered for is there. All calls block for as long as small files take.
package struct Repositories: Sendable {
    /// A manifest as a client put it.
    package struct Manifest: Codable, Hashable, Sendable {
        package var descriptor: Descriptor
        package var pushed: Timestamp
        /// What it is about: the digest of another manifest (`subject`).
        package var subject: Digest?
        package var artifactType: String?
        /// All that it names: configuration, layers, or the manifests of an index.
        package var parts: [Descriptor]
        /// Whether the parts are manifests.
        package var isIndex: Bool

        package init(
            descriptor: Descriptor,
            pushed: Timestamp,
            subject: Digest?,
            artifactType: String?,
            parts: [Descriptor],
            isIndex: Bool
        ) {
            self.descriptor = descriptor
            self.pushed = pushed
            self.subject = subject
            self.artifactType = artifactType
            self.parts = parts
            self.isIndex = isIndex
        }
    }

    let directory: String

    /// All repositories that have a manifest, sorted.
    package func names() throws -> [String] {
        try Files.list(directory).filter { try !Files.list("\(directory)/\($0)/manifests").isEmpty }
            .map { $0.replacing("+", with: "/") }.sorted()
    }

    private func place(_ repository: String) -> String {
        "\(directory)/\(repository.replacing("/", with: "+"))"
    }

    // MARK: Blobs

    /// Whether the repository shows the blob, so that who may read the one may read the other.
    package func has(_ blob: Digest, in repository: String) -> Bool {
        Files.exists("\(place(repository))/blobs/\(blob.hex)")
    }

    /// Shows a blob of the store in the repository. Until a manifest names it, it is kept for a day.
    package func link(_ blob: Digest, in repository: String) throws {
        try Files.createDirectories("\(place(repository))/blobs")
        try Files.write("\(place(repository))/blobs/\(blob.hex)", [])
    }

    package func unlink(_ blob: Digest, in repository: String) throws {
        try Files.remove("\(place(repository))/blobs/\(blob.hex)")
    }

    // MARK: Manifests

    package func manifest(_ digest: Digest, in repository: String) -> Manifest? {
        // One that can't be read is as good as none; `fsck` tells of it.
        guard let bytes = try? Files.read("\(place(repository))/manifests/\(digest.hex)") else { return nil }
        return try? decodeJSON(Manifest.self, from: bytes)
    }

    /// By digest, newest first.
    package func manifests(in repository: String) throws -> [Manifest] {
        try Files.list("\(place(repository))/manifests").compactMap {
            Digest(hex: $0).flatMap { manifest($0, in: repository) }
        }
        .sorted { ($1.pushed, $1.descriptor.digest.hex) < ($0.pushed, $0.descriptor.digest.hex) }
    }

    /// Files among the manifests that can't be read as one.
    func unreadableManifests(in repository: String) throws -> [String] {
        try Files.list("\(place(repository))/manifests").filter { name in
            !Self.isTemporary(name) && Digest(hex: name).flatMap { manifest($0, in: repository) } == nil
        }
    }

    func removeUnreadableManifest(_ name: String, in repository: String) throws {
        try Files.remove("\(place(repository))/manifests/\(name)")
    }

    /// Adds a manifest whose bytes are a blob of the store, and gives it the tag.
    package func put(_ manifest: Manifest, tag: String?, in repository: String) throws {
        for part in ["manifests", "tags", "blobs"] {
            try Files.createDirectories("\(place(repository))/\(part)")
        }
        let digest = manifest.descriptor.digest
        try Files.replace(
            "\(place(repository))/manifests/\(digest.hex)",
            try encodeJSON(manifest),
            sync: true
        )
        if let tag {
            try Files.replace("\(place(repository))/tags/\(tag)", Array(digest.description.utf8), sync: true)
        }
    }

    /// Takes a manifest away, with the tags that lead to it.
    package func remove(_ digest: Digest, in repository: String) throws {
        for tag in try tags(in: repository) where self.digest(of: tag, in: repository) == digest {
            try removeTag(tag, in: repository)
        }
        try Files.remove("\(place(repository))/manifests/\(digest.hex)")
    }

    // MARK: Tags

    /// Sorted by their bytes, as the specification asks.
    package func tags(in repository: String) throws -> [String] {
        try Files.list("\(place(repository))/tags").filter { !Self.isTemporary($0) }
    }

    /// Whether the file is one that was about to be put into place (``Files/replace(_:_:mode:sync:)``), not a tag such as `1.tmp`.
    private static func isTemporary(_ name: String) -> Bool {
        let parts = name.split(separator: ".")
        return parts.count >= 4 && parts.last == "tmp"
            && parts.dropLast().suffix(2).allSatisfy { UInt32($0) != nil }
    }

    package func digest(of tag: String, in repository: String) -> Digest? {
        (try? Files.readText("\(place(repository))/tags/\(tag)")).flatMap { Digest($0) }
    }

    package func removeTag(_ tag: String, in repository: String) throws {
        try Files.remove("\(place(repository))/tags/\(tag)")
    }

    // MARK: Collection

    /// The names of the blobs that must stay: all that manifests name, and what was put less than a day ago.
    func heldBlobs() throws -> Set<String> {
        var held: Set<String> = []
        for name in try Files.list(directory) {
            let repository = name.replacing("+", with: "/")
            for manifest in try manifests(in: repository) {
                held.insert(manifest.descriptor.digest.hex)
                held.formUnion(manifest.parts.map(\.digest.hex))
            }
            for blob in try Files.list("\(place(repository))/blobs") {
                if held.contains(blob) || isYoung("\(place(repository))/blobs/\(blob)") {
                    held.insert(blob)
                } else {
                    try Files.remove("\(place(repository))/blobs/\(blob)")
                }
            }
        }
        return held
    }

    private func isYoung(_ path: String) -> Bool { Files.age(path).map { $0 < 86400 } ?? false }
}

/// Removes files that nobody wrote to for so many seconds: beginnings of transfers that nobody goes on with.
func removeOldFiles(_ directory: String, olderThan age: Int64) throws {
    for name in try Files.list(directory) {
        guard let since = Files.age("\(directory)/\(name)"), since > age else { continue }
        try Files.remove("\(directory)/\(name)")
    }
}

extension ImageStore {
    /// What a registry on this store serves.
    package var repositories: Repositories { Repositories(directory: "\(root)/repositories") }
}
