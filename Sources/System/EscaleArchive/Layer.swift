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

/// Unpacks a layer's archive into a directory, with whiteouts as overlayfs has them. Needs root. Blocks.
///
/// Nothing is ever written outside of the directory. Sockets, the root's own entry and unknown devices' whiteout
/// forms are left out.
/// - Throws: `archive.unsafe`, `archive.unreadable`, `system.*`; what was unpacked until then stays.
package func unpackLayer(_ archive: ArchiveReader, into directory: String) throws {
    let writer = TreeWriter(try RootedDirectory(directory))
    while let entry = try archive.next() {
        let slash = entry.path.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { entry.path[($0 + 1)...] } ?? entry.path[...]
        let parent = Array(slash.map { entry.path[..<$0] } ?? [])
        guard !entry.path.components.contains(where: { $0.elementsEqual("..".utf8) }) else {
            throw EscaleError.unsafePath(entry.pathText)
        }
        if name.elementsEqual(opaqueMark) {
            try writer.markOpaque(parent)
        } else if name.starts(with: aufsPrefix) || name.elementsEqual(whiteoutPrefix) {
            continue
        } else if name.starts(with: whiteoutPrefix) {
            try writer.putWhiteout(parent.appending(name.dropFirst(whiteoutPrefix.count)))
        } else if entry.kind != .characterDevice(major: 0, minor: 0) {
            try writer.put(entry) { try archive.copyContent(to: $0) }
        }
    }
    try writer.finish()
}

/// Writes a layer's directory as the one canonical archive of its content: the layer's identity. Blocks.
///
/// The root's own owner and permissions are no part of it: overlayfs takes them from the topmost directory.
/// - Parameter sink: takes the uncompressed tar's bytes.
@discardableResult
package func packLayer(
    _ directory: String,
    compression: ArchiveWriter.Compression = .none,
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
