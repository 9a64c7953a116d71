import EscaleCore
import EscaleSystem
import Glibc

/// How much there is in a layer.
package struct LayerMeasure: Hashable, Sendable {
    /// The bytes of all files, each counted once.
    package var contentBytes: Int64 = 0
    /// Files, directories, links and whiteouts.
    package var entries = 0

    package init() {}
}

private let whiteoutPrefix = Array(".wh.".utf8)
private let opaqueMark = Array(".wh..wh..opq".utf8)
private let aufsPrefix = Array(".wh..wh.".utf8)

/// How much a layer may bring. An archive that says more is refused before the disk is full.
package struct LayerLimits: Hashable, Sendable {
    /// Of all files together, holes included.
    package var contentBytes: Int64
    package var entries: Int
    /// The uncompressed archive's size.
    package var archiveBytes: Int64
    /// How many times as large as the compressed archive the uncompressed one may be, once it is over a gibibyte.
    package var ratio: Int64

    package init(
        contentBytes: Int64 = 1 << 40,
        entries: Int = 500_000,
        archiveBytes: Int64 = 1 << 38,
        ratio: Int64 = 250
    ) {
        self.contentBytes = contentBytes
        self.entries = entries
        self.archiveBytes = archiveBytes
        self.ratio = ratio
    }
}

/// Unpacks a layer's archive into a directory, with whiteouts as overlayfs has them. Needs root. Blocks.
///
/// Nothing is ever written outside of the directory. Sockets, the root's own entry and unknown devices' whiteout
/// forms are left out.
/// - Parameters:
///   - name: what messages call the archive.
///   - consumed: how many bytes of the compressed archive were read; `nil` where nobody counts.
/// - Throws: `archive.unsafe`, `archive.unreadable`, `archive.too-large`, `system.*`; what was unpacked until then
///   stays.
@discardableResult
package func unpackLayer(
    _ archive: ArchiveReader,
    into directory: String,
    name: String = "the archive",
    limits: LayerLimits = LayerLimits(),
    consumed: () -> Int64? = { nil }
) throws -> LayerMeasure {
    // The same archive gives the same tree, whenever it is unpacked.
    let writer = TreeWriter(try RootedDirectory(directory), implicitTime: FileTime(seconds: 0))
    var measure = LayerMeasure()
    while let entry = try archive.next() {
        measure.entries += 1
        if case .file(let size) = entry.kind {
            guard size >= 0, size <= limits.contentBytes - measure.contentBytes else {
                throw EscaleError.archiveTooLarge(name)
            }
            measure.contentBytes += size
        }
        guard measure.entries <= limits.entries else {
            throw EscaleError.archiveTooLarge(name, "it has too many entries, more than \(limits.entries)")
        }
        // Honest names and owners don't compress to nothing.
        if measure.entries > 50_000, let size = consumed(), size / Int64(measure.entries) < 12 {
            throw EscaleError.archiveTooLarge(name, "it has too many entries, \(measure.entries) in \(ByteCount(size))")
        }
        try unpack(entry, archive, writer, limits)
    }
    try writer.finish()
    return measure
}

private func unpack(
    _ entry: TreeEntry,
    _ archive: ArchiveReader,
    _ writer: TreeWriter,
    _ limits: LayerLimits
) throws {
    let slash = entry.path.lastIndex(of: UInt8(ascii: "/"))
    let name = slash.map { entry.path[($0 + 1)...] } ?? entry.path[...]
    let parent = Array(slash.map { entry.path[..<$0] } ?? [])
    guard !entry.path.components.contains(where: { $0.elementsEqual("..".utf8) }) else {
        throw EscaleError.unsafePath(entry.pathText)
    }
    if name.elementsEqual(opaqueMark) { return try writer.markOpaque(parent) }
    if name.starts(with: aufsPrefix) || name.elementsEqual(whiteoutPrefix) { return }
    if name.starts(with: whiteoutPrefix) {
        let hidden = name.dropFirst(whiteoutPrefix.count)
        guard !hidden.elementsEqual("..".utf8), !hidden.elementsEqual(".".utf8) else {
            throw EscaleError.unsafePath(entry.pathText)
        }
        return try writer.putWhiteout(parent.appending(hidden))
    }
    guard entry.kind != .characterDevice(major: 0, minor: 0) else { return }
    try writer.put(entry) { try archive.copyContent(to: $0, limit: limits.contentBytes) }
}

/// Writes a layer's directory as the one canonical archive of its content: the layer's identity. Blocks.
///
/// The root's own owner and permissions are no part of it: overlayfs takes them from the topmost directory.
/// - Parameter sink: takes the uncompressed tar's bytes.
@discardableResult
package func packLayer(
    _ directory: String,
    compression: Compression = .none,
    to sink: (UnsafeRawBufferPointer) throws -> Void
) throws -> LayerMeasure {
    try withoutActuallyEscaping(sink) { sink in
        let writer = try ArchiveWriter(compression: compression, sink: sink)
        var measure = LayerMeasure()
        var walk = TreeWalk(try Directory(directory))
        try walk.visit { step in
            var entry = step.entry
            let isOpaque = entry.attributes.contains(.opaque)
            entry.attributes.removeAll { !$0.isPortable }
            if step.status.isWhiteout {
                entry = .mark(entry.path, replacingNameBy: { whiteoutPrefix + $0 })
            } else if entry.kind == .socket {
                return .skip
            }
            measure.entries += 1
            if case .file(let size) = entry.kind, !step.status.isWhiteout {
                measure.contentBytes += size
                try writer.add(entry, content: step.open())
            } else {
                try writer.add(entry)
            }
            if isOpaque {
                try writer.add(.mark(entry.path.appending([]), replacingNameBy: { _ in opaqueMark }))
            }
            return .descend
        }
        try writer.finish()
        return measure
    }
}

extension TreeEntry {
    /// The empty file that stands for something taken away.
    fileprivate static func mark(_ path: PathBytes, replacingNameBy name: (ArraySlice<UInt8>) -> PathBytes)
        -> TreeEntry
    {
        let start = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        return TreeEntry(
            path: Array(path[..<start]) + name(path[start...]),
            kind: .file(size: 0),
            permissions: 0o644
        )
    }
}
