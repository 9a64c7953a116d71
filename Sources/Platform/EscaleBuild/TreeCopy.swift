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
        var permissions: FileMode?
        var unpacksArchives = false
        /// Whether what came from a URL is unpacked too.
        var unpacksFetched = false
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
    /// - Parameters:
    ///   - isDirectory: whether the destination was written as a directory.
    ///   - keepsName: whether a directory itself is copied, not only what is in it.
    ///   - excludes: what of a directory is left out; its paths begin at the item.
    func copy(
        _ item: SourceTree.Item,
        of source: SourceTree,
        to destination: String,
        isDirectory: Bool,
        keepsName: Bool = false,
        excluding excludes: Dockerignore = Dockerignore()
    ) throws {
        var target = PathBytes(cleanPath(destination).utf8)
        guard !excludes.ignores(item.name) else { return }
        try refuseFile(above: target, isDirectory: isDirectory || item.status.kind == .directory)
        if item.status.kind == .directory {
            if keepsName { target = target.appending(item.name.utf8) }
            _ = try writer.directory(target)
            let start = target.isEmpty ? 0 : target.count + 1
            return try source.visit(item, prefix: target) { step in
                let relative = String(decoding: step.entry.path.dropFirst(start), as: UTF8.self)
                if !excludes.ignores(relative) { try put(step, keepsOwner: source.keepsOwners) }
            }
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
            modified: item.status.modified,
            attributes: try source.attributes(of: item)
        )
        adjust(&entry, keepsOwner: source.keepsOwners)
        try refuseDirectory(entry)
        let content = try source.open(item)
        try writer.put(entry) { try transfer(content, to: $0) }
    }

    /// Makes the directories above an item that are kept, as the source has them.
    ///
    /// - Parameter parents: the path of those that are kept.
    func makeParents(_ parents: String, of item: SourceTree.Item, of source: SourceTree, under destination: String) throws {
        let base = cleanPath(destination)
        _ = try writer.directory(PathBytes(base.utf8))
        let given = item.givenPath.split(separator: "/").dropLast()
        var names: [Substring] = []
        for name in parents.split(separator: "/") {
            names.append(name)
            let target = PathBytes((base.isEmpty ? "" : base + "/").utf8) + names.joined(separator: "/").utf8
            guard try !writer.isDirectory(target) else { continue }
            let depth = given.count - parents.split(separator: "/").count + names.count
            let status = try source.status(of: given.prefix(depth).joined(separator: "/"))
            var entry = TreeEntry(
                path: target, kind: .directory, permissions: status?.permissions ?? 0o755, owner: status?.owner ?? 0,
                group: status?.group ?? 0, modified: status?.modified ?? FileTime(seconds: 0))
            adjust(&entry, keepsOwner: source.keepsOwners)
            try writer.put(entry)
        }
    }

    /// Puts a fetched file at the path, or into the directory there; an archive's content, if asked.
    func add(_ file: RemoteFile, to destination: String, isDirectory: Bool) throws {
        let target = PathBytes(cleanPath(destination).utf8)
        let content = try FileDescriptor(file.path, O_RDONLY)
        if options.unpacksFetched, try unpack(content, file.name, into: target) { return }
        let intoDirectory = try isDirectory || writer.isDirectory(target)
        let status = try FileStatus(content)
        var entry = TreeEntry(
            path: intoDirectory ? target.appending(file.name.utf8) : target,
            kind: .file(size: status.size),
            permissions: 0o600,
            modified: file.modified
        )
        adjust(&entry, keepsOwner: false)
        try refuseDirectory(entry)
        try writer.put(entry) { try transfer(FileDescriptor(file.path, O_RDONLY), to: $0) }
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
            // Where a link leads to one, as /bin does, the link stays, and where it leads to is left as it is.
            if try writer.isDirectory(entry.path) {
                if try !writer.isLink(entry.path) { try writer.put(entry) }
                return
            }
            guard try !writer.exists(entry.path) else {
                throw EscaleError(
                    .init("build.copy-conflict"),
                    "/\(entry.pathText) is a file in the image and a directory in the source",
                    hint: "copy to another path, or remove the file in a RUN before"
                )
            }
            try writer.put(entry)
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
        if let mode = options.permissions, !isLink(entry) {
            entry.permissions = mode.applied(to: entry.permissions, isDirectory: entry.isDirectory)
        }
    }

    private func isLink(_ entry: TreeEntry) -> Bool {
        if case .symbolicLink = entry.kind { true } else { false }
    }

    /// - Parameter isDirectory: whether the target itself has to be one.
    private func refuseFile(above target: PathBytes, isDirectory: Bool) throws {
        var names = target.components
        if !isDirectory { _ = names.popLast() }
        var path = PathBytes()
        for name in names {
            path = path.appending(name)
            guard try writer.exists(path) else { return }
            guard try writer.isDirectory(path) else {
                throw EscaleError(
                    .init("build.copy-conflict"),
                    "/\(String(decoding: path, as: UTF8.self)) is no directory in the image, so nothing can be copied into it",
                    hint: "copy to another path, or remove it in a RUN before"
                )
            }
        }
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
