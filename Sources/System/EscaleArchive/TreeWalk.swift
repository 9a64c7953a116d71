package import EscaleCore
package import EscaleSystem
import Glibc

/// Goes through a file tree depth first, names sorted by their bytes, and follows no link.
package struct TreeWalk {
    package enum Answer { case descend, skip }

    /// One node on the way.
    package struct Step {
        package let entry: TreeEntry
        package let status: FileStatus
        /// Where it is, and what it is called there.
        package let directory: Directory
        package let name: PathBytes

        /// The content of a file.
        package func open() throws(EscaleError) -> FileDescriptor {
            try directory.open(name, O_RDONLY | O_NOCTTY)
        }
    }

    private let root: Directory
    private let readsAttributes: Bool
    private let findsHardLinks: Bool
    private var names: [FileStatus.Identity: PathBytes] = [:]

    /// - Parameters:
    ///   - attributes: whether entries carry extended attributes, which costs two calls for each.
    ///   - hardLinks: whether further names of a file come as links to its first, else as files of their own.
    package init(_ root: Directory, attributes: Bool = true, hardLinks: Bool = true) {
        self.root = root
        readsAttributes = attributes
        findsHardLinks = hardLinks
    }

    /// Visits all below the root, not the root itself. `skip` for a directory leaves out what is in it.
    ///
    /// - Parameter path: what the entries' paths start with.
    package mutating func visit(_ path: PathBytes = [], _ body: (Step) throws -> Answer) throws {
        try visit(root, path, body)
    }

    private mutating func visit(_ directory: Directory, _ path: PathBytes, _ body: (Step) throws -> Answer)
        throws
    {
        for name in try directory.names() {
            // Gone meanwhile, as far as the tree is still in use.
            guard let status = try directory.status(name) else { continue }
            let entry = try entry(path.appending(name), status, directory, name)
            let answer = try body(Step(entry: entry, status: status, directory: directory, name: name))
            if entry.isDirectory && answer == .descend {
                try visit(directory.directory(name), entry.path, body)
            }
        }
    }

    private mutating func entry(
        _ path: PathBytes,
        _ status: FileStatus,
        _ directory: Directory,
        _ name: PathBytes
    ) throws -> TreeEntry {
        let canBeLink = findsHardLinks && status.kind != .directory && status.links > 1
        let known = canBeLink ? names[status.identity] : nil
        let kind: TreeEntry.Kind
        if let known {
            kind = .hardLink(target: known)
        } else {
            kind = try TreeEntry.Kind(status, name, in: directory)
            if canBeLink { names[status.identity] = path }
        }
        return TreeEntry(
            path: path,
            kind: kind,
            permissions: status.permissions,
            owner: status.owner,
            group: status.group,
            modified: status.modified,
            attributes: readsAttributes ? try directory.attributes(of: name) : []
        )
    }
}

extension TreeEntry.Kind {
    /// Of what has that name; never a hard link.
    package init(_ status: FileStatus, _ name: PathBytes, in directory: Directory) throws(EscaleError) {
        switch status.kind {
        case .file: self = .file(size: status.size)
        case .directory: self = .directory
        case .symbolicLink: self = .symbolicLink(target: try directory.linkTarget(name))
        case .characterDevice: self = .characterDevice(major: status.major, minor: status.minor)
        case .blockDevice: self = .blockDevice(major: status.major, minor: status.minor)
        case .fifo: self = .fifo
        case .socket: self = .socket
        }
    }
}
