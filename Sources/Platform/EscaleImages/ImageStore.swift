package import EscaleCore
import EscaleOCI
import EscaleSystem
import Glibc
import Synchronization

/// The images of this host: configurations and manifests as blobs, layers unpacked and ready for overlayfs.
///
/// One process at a time uses a store. Whatever instant it dies at, the next one finds every image either whole or
/// not there: layers are renamed into place, the index is replaced in one step and only after what it names.
/// Synchronous calls read memory or small files; what works on trees is `async` and runs off the concurrency pool.
package final class ImageStore: Sendable {
    struct State {
        var index: ImageIndex
        var images: [Digest: StoredImage]
        var layers: [Digest: LayerRecord]
        var leases = 0
        var collectionIsDue = false
    }

    /// Where everything is.
    package let root: String
    /// What the store could not make sense of when it was opened, a sentence each. It was left alone.
    package let problems: [String]
    let state: Mutex<State>
    let bootID: String

    /// Opens the store, or makes an empty one. Removes what an interrupted import or build left behind. Blocks.
    ///
    /// - Throws: `image.store-damaged` where the index can't be read; nothing is changed then.
    package init(root: String) throws {
        self.root = root
        bootID = (try? Files.readText("/proc/sys/kernel/random/boot_id").filter { !$0.isWhitespace }) ?? ""
        for directory in ["blobs/sha256", "layers/\(Self.emptyLayerName)", "cache"] {
            try Files.createDirectories("\(root)/\(directory)")
        }
        try check("protect \(root)") { chmod(root, 0o711) }
        // Set-user-ID programs of an image are for its containers, not for the host's users.
        for directory in ["blobs", "layers"] { try check("protect \(directory)") { chmod("\(root)/\(directory)", 0o700) } }
        let index = try Self.readIndex("\(root)/index.json")
        try Self.throwAway("\(root)/tmp", of: root)
        try Files.createDirectories("\(root)/tmp", mode: 0o700)
        for directory in ["downloads", "uploads"] { try removeOldFiles("\(root)/\(directory)", olderThan: 7 * 86400) }
        let layers = try Self.readLayers("\(root)/layers", bootID: bootID)
        var problems: [String] = []
        var images: [Digest: StoredImage] = [:]
        for (id, entry) in index.images {
            do {
                guard let id = Digest(id) else {
                    throw EscaleError.damagedStore("index", "\(id) is no image id")
                }
                images[id] = try Self.readImage(id, entry, index: index, layers: layers, root: root)
            } catch {
                problems.append("image \(id): \(EscaleError(wrapping: error).message)")
            }
        }
        self.problems = problems.sorted()
        state = Mutex(State(index: index, images: images, layers: layers))
    }

    /// Puts a directory out of the way, and removes it meanwhile: it may hold a million files.
    private static func throwAway(_ directory: String, of root: String) throws {
        let trash = "\(root)/trash"
        try Files.createDirectories(trash, mode: 0o700)
        if Files.exists(directory) {
            try check("move \(directory) away") {
                rename(directory, "\(trash)/\(hexadecimal(UInt64.random(in: 0 ... .max)))")
            }
        }
        // What can't be removed now is tried again at the next opening.
        try startThread { for name in (try? Files.list(trash)) ?? [] { try? Files.remove("\(trash)/\(name)") } }
    }

    /// The image with that name, id, or beginning of an id (with or without `sha256:`).
    ///
    /// - Throws: `image.not-found`, `image.ambiguous`.
    package func image(_ text: String) throws(EscaleError) -> StoredImage {
        let (images, references) = state.withLock { ($0.images, $0.index.references) }
        if let id = Digest(text), let image = images[id] { return image }
        if let reference = try? ImageReference(text) {
            if let id = references[reference.canonical], let image = images[id] { return image }
            if let digest = reference.digest,
                let image = images.values.first(where: { $0.has(digest, as: reference) })
            {
                return image
            }
        }
        let prefix = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        guard prefix.count >= 4, prefix.allSatisfy(\.isHexDigit) else { throw .imageNotFound(text) }
        let matches = images.values.filter { $0.id.hex.hasPrefix(prefix) }
        guard let match = matches.first else { throw .imageNotFound(text) }
        guard matches.count == 1 else { throw .imageAmbiguous(text, matches) }
        return match
    }

    /// All images, newest first.
    package func list() -> [StoredImage] {
        state.withLock { Array($0.images.values) }.sorted {
            ($1.created, $1.id.hex) < ($0.created, $0.id.hex)
        }
    }

    /// The configuration's bytes as they were digested.
    package func blob(_ digest: Digest) throws -> [UInt8] { try Files.read(blobPath(digest)) }

    func blobPath(_ digest: Digest) -> String { "\(root)/blobs/sha256/\(digest.hex)" }
}

extension StoredImage {
    fileprivate func has(_ digest: Digest, as reference: ImageReference) -> Bool {
        if sources.contains("\(reference.host)/\(reference.repository)@\(digest)") { return true }
        return manifest == digest
            && references.contains { $0.host == reference.host && $0.repository == reference.repository }
    }
}

extension ImageStore {
    private static func readIndex(_ path: String) throws -> ImageIndex {
        guard Files.exists(path) else { return ImageIndex() }
        do {
            let index = try decodeJSON(ImageIndex.self, from: Files.read(path))
            guard index.version == 1 else {
                throw EscaleError.damagedStore(path, "it was written by a newer version of Escale")
            }
            return index
        } catch let error as EscaleError {
            throw error
        } catch {
            throw EscaleError.damagedStore(path, "\(error)")
        }
    }

    /// The layers that are whole. What has no record, or may have lost its data in a crash, is removed.
    private static func readLayers(_ directory: String, bootID: String) throws -> [Digest: LayerRecord] {
        var layers: [Digest: LayerRecord] = [:]
        let names = try Files.list(directory)
        var whole: Set<String> = [emptyLayerName]
        for name in names where name.hasSuffix(".json") {
            guard let record = try? decodeJSON(LayerRecord.self, from: Files.read("\(directory)/\(name)")),
                record.unsyncedSince == nil || record.unsyncedSince == bootID,
                layerName(record.layer) + ".json" == name,
                Files.isDirectory("\(directory)/\(layerName(record.layer))")
            else { continue }
            layers[record.layer] = record
            whole.formUnion([name, layerName(record.layer), shortName(record.layer)])
            try makeShortName(record.layer, in: directory)
        }
        for name in names where !whole.contains(name) { try Files.remove("\(directory)/\(name)") }
        return layers
    }

    private static func readImage(
        _ id: Digest,
        _ entry: ImageIndex.Entry,
        index: ImageIndex,
        layers: [Digest: LayerRecord],
        root: String
    ) throws -> StoredImage {
        let config = try decodeJSON(ImageConfig.self, from: Files.read("\(root)/blobs/sha256/\(id.hex)"))
        let references = try index.references.filter { $0.value == id }.map { try ImageReference($0.key) }
        return try StoredImage(
            id: id,
            entry: entry,
            references: references,
            config: config,
            layers: layers
        )
    }
}

extension StoredImage {
    init(
        id: Digest,
        entry: ImageIndex.Entry,
        references: [ImageReference],
        config: ImageConfig,
        layers: [Digest: LayerRecord]
    ) throws {
        var size: Int64 = 0
        for layer in config.rootfs.layers {
            guard let record = layers[layer] else { throw EscaleError.missingLayer(layer) }
            size += record.contentBytes
        }
        self.init(
            id: id,
            manifest: entry.manifest,
            sources: entry.sources ?? [],
            references: references.sorted(),
            config: config,
            size: ByteCount(size),
            created: config.created ?? entry.added
        )
    }
}
