package import EscaleArchive
package import EscaleCore
import EscaleSystem
import Glibc

/// Several layers seen as one tree, as overlayfs would show them, without mounting anything.
///
/// For looking up a few paths. Links are followed inside the tree, never out of it.
package struct MergedTree: Sendable {
    /// Absolute paths, topmost first.
    package let directories: [String]

    package init(directories: [String]) { self.directories = directories }

    /// Something in the tree.
    package struct Node: Sendable {
        /// Its path in the tree, after all links.
        package let path: String
        package let status: FileStatus
        /// Where it really is; for a directory, its parts in the layers that have one, topmost first.
        package let places: [String]
    }

    /// What the path names; `nil` where there is nothing.
    ///
    /// - Parameter followLast: whether a link at the very end is followed.
    /// - Throws: `image.link-loop`, `system.*`.
    package func find(_ path: String, followLast: Bool = true) throws(EscaleError) -> Node? {
        var rest = Array(path.split(separator: "/").map(String.init).reversed())
        var above: [Node] = [try rootNode()]
        var links = 0
        while let name = rest.popLast() {
            if name == "." { continue }
            if name == ".." {
                if above.count > 1 { above.removeLast() }
                continue
            }
            let parent = above[above.count - 1]
            guard parent.status.kind == .directory, let node = try child(name, of: parent) else { return nil }
            guard node.status.kind == .symbolicLink, followLast || !rest.isEmpty else {
                above.append(node)
                continue
            }
            links += 1
            guard links <= 40 else {
                throw EscaleError(
                    .init("image.link-loop"),
                    "too many symbolic links on the way to \(path) in the image"
                )
            }
            let target = try linkTarget(node)
            if target.hasPrefix("/") { above.removeLast(above.count - 1) }
            rest += target.split(separator: "/").map(String.init).reversed()
        }
        return above.last
    }

    /// A file's content, up to `limit` bytes; `nil` where there is no such file.
    package func read(_ path: String, limit: Int = 1 << 20) throws(EscaleError) -> [UInt8]? {
        guard let node = try find(path), node.status.kind == .file else { return nil }
        let file = try FileDescriptor(node.places[0], O_RDONLY | O_NOFOLLOW)
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let piece = try file.read(upTo: min(65536, limit - bytes.count))
            if piece.isEmpty { break }
            bytes += piece
        }
        return bytes
    }

    private func rootNode() throws(EscaleError) -> Node {
        // By the directory itself, where its name is a short one's link.
        guard let top = directories.first, let status = try FileStatus(top + "/.") else {
            throw EscaleError(.init("image.layer-missing"), "a layer's directory is not there")
        }
        return Node(path: "/", status: status, places: directories)
    }

    /// The name in the topmost layer that has it, or hides it.
    private func child(_ name: String, of parent: Node) throws(EscaleError) -> Node? {
        var places: [String] = []
        var found: FileStatus?
        for directory in parent.places {
            let place = "\(directory)/\(name)"
            guard let status = try FileStatus(place) else { continue }
            if status.kind != .directory {
                if found == nil && !status.isWhiteout { return node(name, parent, status, [place]) }
                break
            }
            found = found ?? status
            places.append(place)
            if try isOpaque(place) { break }
        }
        return found.map { node(name, parent, $0, places) }
    }

    private func node(_ name: String, _ parent: Node, _ status: FileStatus, _ places: [String]) -> Node {
        Node(path: parent.path == "/" ? "/" + name : "\(parent.path)/\(name)", status: status, places: places)
    }

    private func isOpaque(_ directory: String) throws(EscaleError) -> Bool {
        let opened = try Directory(directory)
        return try opened.attribute(ExtendedAttribute.opaque.name, of: [UInt8(ascii: ".")])
            == ExtendedAttribute.opaque.value
    }

    private func linkTarget(_ node: Node) throws(EscaleError) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = try check("read the link \(node.path)") {
            readlink(node.places[0], &buffer, buffer.count)
        }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
