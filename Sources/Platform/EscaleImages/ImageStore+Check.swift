import EscaleArchive
import EscaleCore
import EscaleCrypto
import EscaleOCI
import EscaleSystem
import Glibc
import Synchronization

/// What a check of the store found, a sentence each.
package struct StoreFindings: Hashable, Sendable {
    package var problems: [String] = []
    /// What was done about them.
    package var repaired: [String] = []
}

extension ImageStore {
    /// Reads the whole store and compares it with what it should be: blobs and layers with their digests, images and
    /// repositories with what they name.
    ///
    /// Takes as long as reading all of it. Repairing takes out what is damaged: layers are unpacked again where their archive
    /// is whole, an image that lost a part is forgotten, and so is what a registry could not serve.
    /// - Parameter progress: hears what is read now.
    package func examine(
        repairing: Bool,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> StoreFindings {
        let lease = lease()
        defer { withExtendedLifetime(lease) {} }
        return try await blocking {
            var check = StoreChecker(store: self, repairing: repairing, progress: progress)
            try check.run()
            return check.findings
        }
    }
}

private struct StoreChecker {
    let store: ImageStore
    let repairing: Bool
    let progress: @Sendable (String) -> Void
    var findings = StoreFindings()
    private var damagedBlobs: Set<String> = []
    private var lostLayers: Set<Digest> = []

    init(store: ImageStore, repairing: Bool, progress: @escaping @Sendable (String) -> Void) {
        self.store = store
        self.repairing = repairing
        self.progress = progress
    }

    mutating func run() throws {
        findings.problems = store.state.withLock { state in
            state.index.images.keys.filter { id in Digest(id).map { state.images[$0] == nil } ?? true }
        }
        .sorted().map { "image \($0) is in the index and can't be used" }
        try checkBlobs()
        try checkLayers()
        try checkImages()
        try checkRepositories()
    }

    private mutating func found(_ problem: String, _ repair: String, _ work: () throws -> Void) rethrows {
        findings.problems.append(problem)
        guard repairing else { return }
        try work()
        findings.repaired.append(repair)
    }

    // MARK: Blobs

    private mutating func checkBlobs() throws {
        let directory = "\(store.root)/blobs/sha256"
        for name in try Files.list(directory) where !name.hasSuffix(".tmp") {
            progress("blob \(name.prefix(12))")
            guard try SHA256.digest(ofFile: "\(directory)/\(name)").hex != name else { continue }
            damagedBlobs.insert(name)
            try found("blob \(name) is damaged", "removed the blob") {
                try Files.remove("\(directory)/\(name)")
            }
        }
    }

    private func isWhole(_ blob: Digest) -> Bool {
        store.blobSize(blob) != nil && !damagedBlobs.contains(blob.hex)
    }

    // MARK: Layers

    private mutating func checkLayers() throws {
        let records = store.state.withLock { $0.layers }
        for (layer, record) in records.sorted(by: { $0.key.hex < $1.key.hex }) {
            progress("layer \(layer.short)")
            let original = record.original
            if let original, !isWhole(original.digest) {
                findings.problems.append("layer \(layer.short) has lost its archive \(original.digest.short)")
                lose(layer)
            } else if try !isAsItWas(layer, record) {
                findings.problems.append("the files of layer \(layer.short) have changed")
                if let original { try unpackAgain(layer, original) } else { lose(layer) }
            }
        }
    }

    private func isAsItWas(_ layer: Digest, _ record: LayerRecord) throws -> Bool {
        let directory = "\(store.layersDirectory)/\(ImageStore.layerName(layer))"
        guard Files.isDirectory(directory) else { return false }
        guard let original = record.original else { return try Self.digest(of: directory) == layer }
        let area = try store.makeWorkArea()
        defer { store.discard(area) }
        try unpack(original, layer, into: area.upper)
        return try Self.digest(of: area.upper) == Self.digest(of: directory)
    }

    private static func digest(of directory: String) throws -> Digest? {
        var hasher: SHA256? = SHA256()
        try packLayer(directory) { hasher?.update($0) }
        return hasher.take()?.finish()
    }

    private func unpack(_ original: Descriptor, _ layer: Digest, into directory: String) throws {
        let name = "layer \(layer.short)"
        let source = FileSource(try store.openBlob(original.digest), name: name, count: original.size)
        _ = try store.unpack(source, name, size: original.size, into: directory, as: layer)
    }

    private mutating func unpackAgain(_ layer: Digest, _ original: Descriptor) throws {
        guard repairing else { return }
        let area = try store.makeWorkArea()
        defer { store.discard(area) }
        try unpack(original, layer, into: area.upper)
        let place = "\(store.layersDirectory)/\(ImageStore.layerName(layer))"
        if Files.exists(place) {
            try check("move a damaged layer away") { rename(place, area.path + "/old") }
        }
        try check("put a layer into place") { rename(area.upper, place) }
        findings.repaired.append("unpacked layer \(layer.short) again")
    }

    private mutating func lose(_ layer: Digest) { lostLayers.insert(layer) }

    // MARK: Images

    private mutating func checkImages() throws {
        let images = store.state.withLock { $0.images }
        var lost: Set<Digest> = []
        for (id, image) in images.sorted(by: { $0.key.hex < $1.key.hex }) {
            if !isWhole(id) {
                findings.problems.append("image \(image.displayName) has lost its configuration")
            } else if !lostLayers.isDisjoint(with: image.layers) {
                findings.problems.append("image \(image.displayName) has lost a layer")
            } else if !isWhole(image.manifest) {
                findings.problems.append("image \(image.displayName) has lost its manifest")
                if repairing { try rewriteManifest(image) }
                continue
            } else {
                continue
            }
            lost.insert(id)
        }
        guard repairing else { return }
        try store.update { state in
            for (text, _) in state.index.images {
                guard let id = Digest(text), state.images[id] != nil, !lost.contains(id) else {
                    state.index.images[text] = nil
                    state.index.references = state.index.references.filter { $0.value.description != text }
                    if let id = Digest(text) { state.images[id] = nil }
                    findings.repaired.append("forgot image \(text); pull or build it again")
                    continue
                }
            }
        }
        try removeLostLayers()
    }

    private mutating func rewriteManifest(_ image: StoredImage) throws {
        let size = Int64(try store.blob(image.id).count)
        let manifest = try store.addBlob(store.plainManifest(image.id, size, image.config))
        try store.update { state in
            guard var entry = state.index.images[image.id.description] else { return }
            entry.manifest = manifest
            try state.put(entry, id: image.id, config: image.config, references: [])
        }
        findings.repaired.append("wrote a new manifest for image \(image.displayName)")
    }

    private mutating func removeLostLayers() throws {
        try store.forgetCache(of: lostLayers)
        for layer in lostLayers {
            let place = "\(store.layersDirectory)/\(ImageStore.layerName(layer))"
            try Files.remove(place + ".json")
            try Files.remove("\(store.layersDirectory)/\(ImageStore.shortName(layer))")
            try Files.remove(place)
            store.state.withLock { $0.layers[layer] = nil }
            findings.repaired.append("removed layer \(layer.short)")
        }
    }

    // MARK: Repositories

    private mutating func checkRepositories() throws {
        let repositories = store.repositories
        for name in try repositories.names() {
            progress("repository \(name)")
            for manifest in try repositories.manifests(in: name) {
                let digest = manifest.descriptor.digest
                let missing =
                    manifest.isIndex
                    ? manifest.parts.contains { repositories.manifest($0.digest, in: name) == nil }
                    : manifest.parts.contains { ($0.urls ?? []).isEmpty && !isWhole($0.digest) }
                guard missing || !isWhole(digest) else { continue }
                try found(
                    "\(name)@\(digest.short) in the registry has lost a part",
                    "took \(name)@\(digest.short) out of the registry"
                ) { try repositories.remove(digest, in: name) }
            }
            for file in try repositories.unreadableManifests(in: name) {
                try found(
                    "the registry's record of \(name)@\(file.prefix(12)) can't be read",
                    "removed the record of \(name)@\(file.prefix(12))"
                ) { try repositories.removeUnreadableManifest(file, in: name) }
            }
            for tag in try repositories.tags(in: name) {
                let digest = repositories.digest(of: tag, in: name)
                guard digest.flatMap({ repositories.manifest($0, in: name) }) == nil else { continue }
                try found("\(name):\(tag) in the registry leads to nothing", "removed the tag \(name):\(tag)")
                {
                    try repositories.removeTag(tag, in: name)
                }
            }
        }
    }
}
