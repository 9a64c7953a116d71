import EscaleArchive
import EscaleCore
import EscaleDockerfile
import EscaleSystem
import Glibc

/// Puts files into a root file system, as `COPY` does. Paths are resolved inside it, links and all. Blocks.
struct TreeCopy {
    /// Whom what is copied belongs to, where it isn't kept.
    struct Options: Sendable {
        var owner: (uid: UInt32, gid: UInt32)?
        var permissions: UInt32?
        var unpacksArchives = false
    }

    private let writer: TreeWriter
    private let options: Options

    init(_ root: String, options: Options = Options()) throws(EscaleError) {
        self.options = options
        writer = TreeWriter(
            try RootedDirectory(root),
            implicit: TreeEntry(
                path: [],
                kind: .directory,
                permissions: 0o755,
                owner: options.owner?.uid ?? 0,
                group: options.owner?.gid ?? 0
            )
        )
    }

    func makeDirectory(_ path: String) throws { _ = try writer.directory(Array(path.utf8)) }

    /// Copies a file to the path, or into the directory there; a directory's content into the directory there.
    ///
    /// - Parameter isDirectory: whether the destination was written as a directory.
    func copy(_ item: SourceTree.Item, of source: SourceTree, to destination: String, isDirectory: Bool)
        throws
    {
        let target = PathBytes(cleanPath(destination).utf8)
        if item.status.kind == .directory {
            _ = try writer.directory(target)
            return try source.visit(item, prefix: target) { try put($0, keepsOwner: source.keepsOwners) }
        }
        let intoDirectory = try isDirectory || writer.isDirectory(target)
        if options.unpacksArchives, try unpack(source.open(item), item.name, into: target) { return }
        let path = intoDirectory ? target.appending(item.name.utf8) : target
        var entry = TreeEntry(
            path: path,
            kind: .file(size: item.status.size),
            permissions: item.status.permissions,
            owner: item.status.owner,
            group: item.status.group,
            modified: item.status.modified
        )
        adjust(&entry, keepsOwner: source.keepsOwners)
        try refuseDirectory(entry)
        let content = try source.open(item)
        try writer.put(entry) { try transfer(content, to: $0) }
    }

    /// Makes a file from text that is in the Dockerfile.
    func write(_ text: String, name: String, to destination: String, isDirectory: Bool) throws {
        let target = PathBytes(cleanPath(destination).utf8)
        let intoDirectory = try isDirectory || writer.isDirectory(target)
        var entry = TreeEntry(
            path: intoDirectory ? target.appending(name.utf8) : target,
            kind: .file(size: Int64(text.utf8.count)),
            permissions: 0o644
        )
        adjust(&entry, keepsOwner: false)
        try refuseDirectory(entry)
        try writer.put(entry) { try $0.write(Array(text.utf8)) }
    }

    /// Gives the directories their times. To be called once, at the end.
    func finish() throws { try writer.finish() }

    private func put(_ step: TreeWalk.Step, keepsOwner: Bool) throws {
        var entry = step.entry
        if entry.kind == .socket { return }
        entry.attributes.removeAll { !$0.isPortable }
        adjust(&entry, keepsOwner: keepsOwner)
        if entry.isDirectory {
            // One that is there stays as it is, also where a link leads to it: /tmp keeps its mode, /bin its link.
            if try !writer.isDirectory(entry.path) { try writer.put(entry) }
            return
        }
        try refuseDirectory(entry)
        guard case .file = entry.kind else { return try writer.put(entry) }
        let content = try step.open()
        try writer.put(entry) { try transfer(content, to: $0) }
    }

    private func adjust(_ entry: inout TreeEntry, keepsOwner: Bool) {
        if !keepsOwner { (entry.owner, entry.group) = (0, 0) }
        if let owner = options.owner { (entry.owner, entry.group) = owner }
        if let permissions = options.permissions { entry.permissions = permissions }
    }

    private func refuseDirectory(_ entry: TreeEntry) throws {
        guard try writer.isDirectory(entry.path), try !writer.isLink(entry.path) else { return }
        throw EscaleError(
            .init("build.copy-conflict"),
            "/\(entry.pathText) is a directory in the image and a file in the source",
            hint: "copy to another path, or remove the directory in a RUN before"
        )
    }

    /// `false` where the file is no archive.
    private func unpack(_ file: FileDescriptor, _ name: String, into target: PathBytes) throws -> Bool {
        let archive: ArchiveReader
        var next: TreeEntry?
        do {
            archive = try ArchiveReader(file, name: name)
            next = try archive.next()
        } catch {
            return false
        }
        while var entry = next {
            entry.path = target.appending(entry.path)
            if case .hardLink(let link) = entry.kind {
                entry.kind = .hardLink(target: target.appending(link))
            }
            if let owner = options.owner { (entry.owner, entry.group) = owner }
            if try !entry.isDirectory || !writer.isDirectory(entry.path) {
                try writer.put(entry) { try archive.copyContent(to: $0) }
            }
            next = try archive.next()
        }
        return true
    }

    private func transfer(_ source: FileDescriptor, to target: FileDescriptor) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try check("read a file to copy") {
                read(source.number, buffer.baseAddress, buffer.count)
            }
            if count == 0 { return }
            var done = 0
            while done < count {
                done += try check("write a copied file") {
                    Glibc.write(target.number, buffer.baseAddress?.advanced(by: done), count - done)
                }
            }
        }
    }
}
