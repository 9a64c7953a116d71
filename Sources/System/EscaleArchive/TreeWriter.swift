package import EscaleCore
package import EscaleSystem
import Glibc

/// Puts nodes into a file tree that they can't leave, whatever their paths and the links already there say.
///
/// What stands in a node's way is removed, except that a directory stays for a directory. Directories get their times
/// in ``finish()``, when nothing is written into them any more.
package final class TreeWriter {
    private let root: RootedDirectory
    /// What directories that no entry describes belong to.
    private let implicit: TreeEntry
    /// Their time; `nil` for when they are made.
    private let implicitTime: FileTime?
    private var directoryTimes: [(path: PathBytes, time: FileTime)] = []
    private var lastParent: (path: ArraySlice<UInt8>, directory: Directory)?

    /// - Parameters:
    ///   - implicit: owner and permissions of directories that have to be made on the way.
    ///   - implicitTime: their time; `nil` for when they are made.
    package init(
        _ root: RootedDirectory,
        implicit: TreeEntry = TreeEntry(path: [], kind: .directory, permissions: 0o755),
        implicitTime: FileTime? = nil
    ) {
        self.root = root
        self.implicit = implicit
        self.implicitTime = implicitTime
    }

    /// The directory with that path, made with those above it if need be. Links on the way are followed, inside.
    package func directory(_ path: PathBytes) throws(EscaleError) -> Directory {
        if let opened = try existing(path) { return opened }
        guard let (parent, name) = try parent(of: path) else { return Directory(root.descriptor) }
        // A link to nowhere is not replaced: what it names may be somebody's intention.
        if try parent.status(name) != nil {
            throw EscaleError.unsafePath(String(decoding: path, as: UTF8.self), "a link that leads nowhere, or a file, is where a directory has to be")
        }
        try parent.makeDirectory(name)
        try parent.apply(implicit, to: name, time: false)
        if let implicitTime { directoryTimes.append((path, implicitTime)) }
        return try parent.directory(name)
    }

    /// Whether the path leads to a directory, links followed.
    package func isDirectory(_ path: PathBytes) throws(EscaleError) -> Bool { try existing(path) != nil }

    /// Whether there is anything with that path, a link that leads nowhere included.
    package func exists(_ path: PathBytes) throws(EscaleError) -> Bool {
        if try existing(path) != nil { return true }
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        guard let above = try existing(Array(slash.map { path[..<$0] } ?? [])) else { return false }
        return try above.status(Array(slash.map { path[($0 + 1)...] } ?? path[...])) != nil
    }

    /// Whether the path itself is a symbolic link.
    package func isLink(_ path: PathBytes) throws(EscaleError) -> Bool {
        guard let (parent, name) = try parent(of: path) else { return false }
        return try parent.status(name)?.kind == .symbolicLink
    }

    private func existing(_ path: PathBytes) throws(EscaleError) -> Directory? {
        try root.openIfPresent(path, O_RDONLY | O_DIRECTORY).map { Directory($0) }
    }

    /// The directory that the path's last name is in, made if need be, and that name; `nil` for the root.
    private func parent(of path: PathBytes) throws(EscaleError) -> (Directory, PathBytes)? {
        guard !path.isEmpty else { return nil }
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let above = slash.map { path[..<$0] } ?? []
        let name = Array(slash.map { path[($0 + 1)...] } ?? path[...])
        if let lastParent, lastParent.path == above { return (lastParent.directory, name) }
        let opened = try directory(Array(above))
        lastParent = (above, opened)
        return (opened, name)
    }

    /// Makes the node.
    ///
    /// - Parameter content: writes a file's bytes.
    /// - Throws: `archive.unsafe` for a path with `..` in it; `system.*`.
    package func put(_ entry: TreeEntry, content: (FileDescriptor) throws -> Void = { _ in }) throws {
        guard !entry.path.components.contains(where: { $0.elementsEqual("..".utf8) }) else {
            throw EscaleError.unsafePath(entry.pathText)
        }
        guard let (parent, name) = try parent(of: entry.path) else { return }
        if entry.isDirectory {
            if try parent.status(name)?.kind != .directory {
                try clear(name, in: parent)
                try parent.makeDirectory(name, mode: 0o700)
            }
            directoryTimes.append((entry.path, entry.modified))
            return try parent.apply(entry, to: name, time: false)
        }
        try clear(name, in: parent)
        switch entry.kind {
        case .directory, .socket: return
        case .file:
            let file = try parent.open(name, O_WRONLY | O_CREAT | O_EXCL)
            try content(file)
        case .symbolicLink(let target): try parent.makeSymbolicLink(name, to: target)
        case .hardLink(let target):
            guard !target.components.contains(where: { $0.elementsEqual("..".utf8) }) else {
                throw EscaleError.unsafePath(String(decoding: target, as: UTF8.self))
            }
            let slash = target.lastIndex(of: UInt8(ascii: "/"))
            let other = Directory(
                try root.open(Array(slash.map { target[..<$0] } ?? []), O_RDONLY | O_DIRECTORY)
            )
            let last = Array(slash.map { target[($0 + 1)...] } ?? target[...])
            guard try other.status(last)?.kind != .directory else {
                throw EscaleError.unsafePath(entry.pathText, "it is a hard link to a directory")
            }
            return try parent.makeHardLink(name, to: last, in: other)
        case .characterDevice(let major, let minor):
            try parent.makeNode(name, type: S_IFCHR, major: major, minor: minor)
        case .blockDevice(let major, let minor):
            try parent.makeNode(name, type: S_IFBLK, major: major, minor: minor)
        case .fifo: try parent.makeNode(name, type: S_IFIFO)
        }
        try parent.apply(entry, to: name)
    }

    /// Marks the path as taken away from the layers below.
    package func putWhiteout(_ path: PathBytes) throws {
        guard let (parent, name) = try parent(of: path) else { return }
        try clear(name, in: parent)
        try parent.makeNode(name, type: S_IFCHR)
    }

    /// Makes the directory hide those of the layers below.
    package func markOpaque(_ path: PathBytes) throws {
        try directory(path).set(.opaque, on: [UInt8(ascii: ".")])
    }

    /// Gives the directories their times. To be called once, at the end.
    package func finish() throws(EscaleError) {
        for (path, time) in directoryTimes.reversed() {
            guard let (parent, name) = try parent(of: path),
                try parent.status(name)?.kind == .directory
            else { continue }
            try parent.setTime(time, of: name)
        }
    }

    private func clear(_ name: PathBytes, in parent: Directory) throws(EscaleError) {
        // The directory that was used last may be about to go.
        if let status = try parent.status(name) {
            if status.kind == .directory || status.kind == .symbolicLink { lastParent = nil }
            try parent.remove(name)
        }
    }
}
