import EscaleCore
package import EscaleSystem
import Glibc

/// Copies a file or a directory from one root file system into another, as `docker cp` does: modes are kept, paths are
/// resolved inside their roots, links and all. Blocks.
package struct TreeTransfer {
    package let source: RootedDirectory
    package let target: RootedDirectory
    /// Whether a source that is a link stands for what it leads to.
    package var follows = false
    /// Whether directories above the target are made.
    package var makesParents = false
    /// Whom the copies belong to; `nil` for whom the originals belong to.
    package var owner: (uid: UInt32, gid: UInt32)?

    package init(from source: RootedDirectory, to target: RootedDirectory) {
        self.source = source
        self.target = target
    }

    /// - Parameters:
    ///   - from: absolute in its root. With `/.` at its end the content of the directory, else, where the target exists,
    ///     the directory itself.
    ///   - to: absolute in its root: the copy's own path, or a directory to put it into.
    /// - Throws: `copy.*` where the paths don't fit together.
    package func copy(_ from: String, to: String) throws {
        let writer = TreeWriter(
            target,
            implicit: TreeEntry(path: [], kind: .directory, permissions: 0o755, owner: owner?.uid ?? 0, group: owner?.gid ?? 0))
        let name = Self.names(from).last ?? ""
        var goal = PathBytes(Self.names(to).joined(separator: "/").utf8)
        let goalIsDirectory = try writer.isDirectory(goal)
        guard let entry = try entry(of: from) else { throw Self.missing(from) }
        guard try makesParents || goalIsDirectory || writer.isDirectory(PathBytes(Self.names(to).dropLast().joined(separator: "/").utf8)) else {
            throw Self.missing("/" + Self.names(to).dropLast().joined(separator: "/"))
        }
        if goalIsDirectory, !(entry.isDirectory && (from.hasSuffix("/.") || name.isEmpty)) { goal = goal.appending(name.utf8) }
        guard entry.isDirectory else {
            guard goalIsDirectory || !to.hasSuffix("/") else { throw Self.noDirectory(to) }
            var entry = entry
            entry.path = goal
            try put(entry, writer) { try source.open(from, O_RDONLY | O_NOCTTY) }
            return try writer.finish()
        }
        guard try writer.isDirectory(goal) || !writer.exists(goal) else { throw Self.noDirectory(to) }
        var top = entry
        top.path = goal
        if !goal.isEmpty { try put(top, writer) { throw Self.missing(from) } }
        var walk = TreeWalk(Directory(try source.open(from, O_RDONLY | O_DIRECTORY)), hardLinks: false)
        try walk.visit(goal) { step in
            try put(step.entry, writer) { try step.open() }
            return .descend
        }
        try writer.finish()
    }

    private func put(_ entry: TreeEntry, _ writer: TreeWriter, _ open: () throws -> FileDescriptor) throws {
        var entry = entry
        if let owner { (entry.owner, entry.group) = owner }
        if entry.kind == .socket { return }
        if entry.isDirectory, try writer.isDirectory(entry.path) { return }
        guard case .file = entry.kind else { return try writer.put(entry) }
        let content = try open()
        try writer.put(entry) { copy in
            while true {
                let piece = try content.read(upTo: 1 << 20)
                if piece.isEmpty { return }
                try copy.write(piece)
            }
        }
    }

    /// What is at the path; `nil` where nothing is.
    private func entry(of path: String) throws -> TreeEntry? {
        let names = Self.names(path)
        guard let name = names.last.map({ PathBytes($0.utf8) }) else { return TreeEntry(path: [], kind: .directory, permissions: 0o755) }
        guard let above = try source.openIfPresent(Array("/\(names.dropLast().joined(separator: "/"))".utf8), O_RDONLY | O_DIRECTORY)
        else { return nil }
        let directory = Directory(above)
        guard var status = try directory.status(name) else { return nil }
        var kind = try TreeEntry.Kind(status, name, in: directory)
        // `link/` and `link/.` are the directory that it leads to.
        if status.kind == .symbolicLink, follows || path.hasSuffix("/") || path.hasSuffix("/.") {
            guard let file = try source.openIfPresent(Array(path.utf8), RootedDirectory.pathOnly) else { return nil }
            status = try FileStatus(file)
            kind = status.kind == .directory ? .directory : .file(size: status.size)
        }
        return TreeEntry(
            path: name, kind: kind, permissions: status.permissions, owner: status.owner, group: status.group,
            modified: status.modified, attributes: [])
    }

    private static func names(_ path: String) -> [String] { path.split(separator: "/").filter { $0 != "." }.map(String.init) }

    private static func missing(_ path: String) -> EscaleError {
        EscaleError(.init("copy.missing"), "there is no \(path)", hint: "check the path; a container's is absolute")
    }

    private static func noDirectory(_ path: String) -> EscaleError {
        EscaleError(.init("copy.not-a-directory"), "\(path) is no directory", hint: "make it first, or name a file as the target")
    }
}
