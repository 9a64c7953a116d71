package import EscaleArchive
package import EscaleCore
import EscaleCrypto
import EscaleSystem
import Glibc
import Synchronization

/// A scratch directory in the store, on the file system that layers are renamed into place on.
package struct WorkArea: Sendable {
    package let path: String
    /// What becomes the layer.
    package var upper: String { path + "/upper" }
    /// What overlayfs needs beside it.
    package var work: String { path + "/work" }
    /// A place to mount the whole on.
    package var merged: String { path + "/merged" }
}

extension ImageStore {
    /// A layer without content, for overlays that would have no lower directory otherwise.
    package static let emptyLayerName = "empty"

    /// Where the unpacked layers are. Mount overlays with this as the working directory: the names fit into
    /// mount(2)'s 4096 bytes then.
    package var layersDirectory: String { root + "/layers" }

    /// The directory's name of a layer in ``layersDirectory``.
    package static func layerName(_ layer: Digest) -> String { String(layer.hex.prefix(32)) }

    /// A link to a layer's directory whose name is so short that some three hundred fit into a mount's data.
    package static func shortName(_ layer: Digest) -> String { String(layer.hex.prefix(12)) }

    /// Names relative to ``layersDirectory``, topmost first: overlayfs' `lowerdir=` when joined by colons.
    package func lowerDirectories(of image: StoredImage) -> [String] { lowerDirectories(of: image.layers) }

    /// The same for a list of layers, bottom first. Never empty.
    package func lowerDirectories(of layers: [Digest]) -> [String] {
        layers.isEmpty ? [Self.emptyLayerName] : layers.reversed().map(Self.shortName)
    }

    /// What the layers show together, for reading single files without a mount.
    package func tree(of layers: [Digest]) -> MergedTree {
        let names = layers.isEmpty ? [Self.emptyLayerName] : layers.reversed().map(Self.layerName)
        return MergedTree(directories: names.map { "\(layersDirectory)/\($0)" })
    }

    /// A text file of an image such as `/etc/passwd`; `nil` where it has none. Links are followed inside the image.
    package func readFile(_ path: String, in layers: [Digest]) throws -> String? {
        try tree(of: layers).read(path).map { String(decoding: $0, as: UTF8.self) }
    }

    package func hasLayer(_ layer: Digest) -> Bool { state.withLock { $0.layers[layer] != nil } }

    /// A new, empty work area; one that is left over is removed when the store is opened the next time.
    package func makeWorkArea() throws -> WorkArea {
        let name = hexadecimal(UInt64.random(in: 0 ... .max))
        let area = WorkArea(path: "\(root)/tmp/\(name)")
        for directory in [area.upper, area.work, area.merged] { try Files.createDirectories(directory) }
        try check("open \(area.upper)") { chmod(area.upper, 0o755) }
        return area
    }

    /// Removes a work area; best effort, since the next opening does it as well.
    package func discard(_ area: WorkArea) { try? Files.remove(area.path) }

    /// Makes an overlay's upper directory a layer. The directory must be in a work area; it is gone afterwards.
    ///
    /// Overlayfs' own marks other than whiteouts and opaque directories are taken off, sockets are removed.
    /// - Parameter newest: what no file's time is after; later ones become that.
    /// - Returns: the layer's diff ID; `nil` for a directory with nothing in it, which makes no layer.
    package func commitLayer(_ upper: String, newest: FileTime? = nil) async throws -> Digest? {
        try await blocking {
            if let newest { try Self.limitTimes(upper, newest) }
            return try self.commit(upper)
        }
    }

    private static func limitTimes(_ upper: String, _ newest: FileTime) throws {
        var walk = TreeWalk(try Directory(upper), attributes: false, hardLinks: false)
        try walk.visit { step in
            if newest < step.status.modified { try step.directory.setTime(newest, of: step.name) }
            return .descend
        }
    }

    func commit(_ upper: String) throws -> Digest? {
        var hasher: SHA256? = SHA256()
        var archiveBytes: Int64 = 0
        try removeOverlayMarks(upper)
        let measure = try packLayer(upper) { bytes in
            hasher?.update(bytes)
            archiveBytes += Int64(bytes.count)
        }
        guard measure.entries > 0, let digest = hasher.take()?.finish() else {
            try Files.remove(upper)
            return nil
        }
        if hasLayer(digest) {
            try Files.remove(upper)
            return digest
        }
        let record = LayerRecord(
            layer: digest,
            archiveBytes: archiveBytes,
            contentBytes: measure.contentBytes,
            unsyncedSince: bootID
        )
        try putInPlace(upper, record)
        return digest
    }

    func write(_ record: LayerRecord) throws {
        try Files.replace("\(layersDirectory)/\(Self.layerName(record.layer)).json", try encodeJSON(record))
    }

    /// Makes the layers durable, before anything that names them is.
    func syncLayers() throws {
        let unsynced = state.withLock { $0.layers.values.filter { $0.unsyncedSince != nil } }
        guard !unsynced.isEmpty else { return }
        try syncFileSystem(of: root)
        for var record in unsynced {
            record.unsyncedSince = nil
            try write(record)
            state.withLock { $0.layers[record.layer]?.unsyncedSince = nil }
        }
    }

    private func removeOverlayMarks(_ upper: String) throws {
        let root = try Directory(upper)
        try root.removeMarks(
            from: [UInt8(ascii: ".")],
            try root.attributes(of: [UInt8(ascii: ".")]),
            keepOpaque: false
        )
        var walk = TreeWalk(root)
        try walk.visit { step in
            if step.status.kind == .socket { try step.directory.remove(step.name) }
            try step.directory.removeMarks(from: step.name, step.entry.attributes, keepOpaque: true)
            return .descend
        }
    }
}

extension Directory {
    fileprivate func removeMarks(
        from name: PathBytes,
        _ attributes: [ExtendedAttribute],
        keepOpaque: Bool
    ) throws(EscaleError) {
        for attribute in attributes where attribute.name.hasPrefix("trusted.overlay.") {
            if keepOpaque && attribute == .opaque { continue }
            try removeAttribute(attribute.name, of: name)
        }
    }
}
