import EscaleArchive
import EscaleCore
import EscaleCrypto
import EscaleDockerfile
import EscaleSystem
import Glibc

/// What `COPY` copies from: the build context, or another stage's or image's files. Nothing outside of it is seen.
struct SourceTree: Sendable {
    /// One file or directory that a source names.
    struct Item: Sendable {
        /// After all links, relative to the tree; empty for the tree itself.
        let path: String
        /// As it was named, before links, relative to the tree.
        let givenPath: String
        /// What it is called at its destination.
        let name: String
        let status: FileStatus
    }

    let directory: String
    /// How a message names it.
    let name: String
    let ignore: Dockerignore
    /// Whether owners, extended attributes and hard links are kept, as from a stage, or not, as from a context.
    let keepsOwners: Bool
    private let root: RootedDirectory

    init(_ directory: String, name: String, ignore: Dockerignore = Dockerignore(), keepsOwners: Bool)
        throws(EscaleError)
    {
        // The real path, since items are found by theirs.
        guard let real = realpath(directory, nil) else { throw Errno.current.during("open \(directory)") }
        defer { free(real) }
        self.directory = String(cString: real)
        self.name = name
        self.ignore = ignore
        self.keepsOwners = keepsOwners
        root = try RootedDirectory(self.directory)
    }

    /// A named context: another directory of the host, with its own `.dockerignore`.
    static func named(_ directory: String, _ name: String) throws -> SourceTree {
        guard Files.isDirectory(directory) else { throw EscaleError.contextMissing(directory) }
        let file = directory + "/.dockerignore"
        let ignore = Files.exists(file) ? Dockerignore(try Files.readText(file)) : Dockerignore()
        return try SourceTree(directory, name: "the context \(name)", ignore: ignore, keepsOwners: false)
    }

    /// What a source of `COPY` names; empty where nothing matches.
    func items(matching source: String) throws -> [Item] {
        let path = cleanPath(source)
        guard isPathPattern(path) else { return try item(path).map { [$0] } ?? [] }
        var found = [""]
        for part in path.split(separator: "/").map(String.init) {
            found = try found.flatMap { above -> [String] in
                if part == "**" { return try directories(below: above) }
                guard isPathPattern(part) else { return [above.isEmpty ? part : "\(above)/\(part)"] }
                return try names(in: above).filter { pathMatches($0, pattern: part) }
                    .map { above.isEmpty ? $0 : "\(above)/\($0)" }
            }
        }
        return try found.compactMap { try item($0) }
    }

    /// The directory itself and all below it.
    private func directories(below path: String) throws -> [String] {
        try [path]
            + names(in: path).flatMap { name -> [String] in
                let child = path.isEmpty ? name : "\(path)/\(name)"
                // A link may lead back.
                guard try FileStatus(absolute(child))?.kind == .directory else { return [] }
                return try directories(below: child)
            }
    }

    /// The names in a directory of the tree; empty where it is none.
    func names(in path: String) throws -> [String] {
        guard let item = try resolve(path), item.status.kind == .directory else { return [] }
        return try Files.list(absolute(item.path)).filter {
            !ignore.ignores(path.isEmpty ? $0 : "\(path)/\($0)")
        }
    }

    private func item(_ path: String) throws -> Item? {
        guard let item = try resolve(path) else { return nil }
        guard item.status.kind == .file || item.status.kind == .directory else {
            throw EscaleError(
                .init("build.source-kind"),
                "\(path) in \(name) is neither a file nor a directory"
            )
        }
        guard !item.path.isEmpty, ignore.ignores(item.path) || ignore.ignores(path) else { return item }
        // A directory that is left out may still hold something that isn't.
        guard item.status.kind == .directory, ignore.hasExceptions else { return nil }
        var isEmpty = true
        try visit(item, prefix: []) { if !$0.entry.isDirectory { isEmpty = false } }
        return isEmpty ? nil : item
    }

    private func absolute(_ path: String) -> String { path.isEmpty ? directory : "\(directory)/\(path)" }

    private func resolve(_ path: String) throws -> Item? {
        guard let file = try root.openIfPresent(Array(path.utf8), RootedDirectory.pathOnly) else {
            return nil
        }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = try check("resolve \(path)") {
            readlink("/proc/self/fd/\(file.number)", &buffer, buffer.count)
        }
        let real = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        return Item(
            path: String(real.dropFirst(directory.count).drop { $0 == "/" }),
            givenPath: path,
            name: name,
            status: try FileStatus(file)
        )
    }

    /// What a single file carries besides its content; nothing where that isn't kept.
    func attributes(of item: Item) throws -> [ExtendedAttribute] {
        guard keepsOwners, let name = item.path.split(separator: "/").last else { return [] }
        let above = item.path.dropLast(name.count)
        let directory = Directory(try root.open(String(above), O_RDONLY | O_DIRECTORY))
        return try directory.attributes(of: Array(name.utf8)).filter(\.isPortable)
    }

    /// What is known of a directory that leads to an item; `nil` where there is none.
    func status(of path: String) throws -> FileStatus? { try resolve(path)?.status }

    /// Opens a file of the tree.
    func open(_ item: Item) throws -> FileDescriptor { try root.open(item.path, O_RDONLY | O_NOCTTY) }

    /// Goes through what a directory holds, without what is left out. Paths begin with `prefix`.
    func visit(_ item: Item, prefix: PathBytes, _ body: (TreeWalk.Step) throws -> Void) throws {
        let top = Directory(try root.open(item.path, O_RDONLY | O_DIRECTORY))
        var walk = TreeWalk(top, attributes: keepsOwners, hardLinks: keepsOwners)
        let drop = prefix.isEmpty ? 0 : prefix.count + 1
        try walk.visit(prefix) { step in
            let relative = String(decoding: step.entry.path.dropFirst(drop), as: UTF8.self)
            let path = item.path.isEmpty ? relative : "\(item.path)/\(relative)"
            if ignore.ignores(path) {
                return ignore.hasExceptions ? .descend : .skip
            }
            try body(step)
            return .descend
        }
    }
}

extension SourceTree {
    /// The digest of all that the items hold: names, kinds, permissions and content, but no times.
    ///
    /// - Parameter excludes: what of a directory is left out; its paths begin at the item.
    func digest(
        of items: [Item],
        excluding excludes: Dockerignore = Dockerignore(),
        cache: FileDigestCache
    ) throws -> Digest {
        var hash = StepKey("tree")
        for item in items where !excludes.ignores(item.name) {
            hash.add(item.name)
            guard item.status.kind == .directory else {
                hash.add(permissions: item.status.permissions, owner: keepsOwners ? item.status : nil)
                for attribute in try attributes(of: item) {
                    hash.add(attribute.name)
                    hash.add(bytes: attribute.value)
                }
                hash.add(try cache.digest(of: open(item), item.status))
                continue
            }
            try visit(item, prefix: []) { step in
                if excludes.ignores(step.entry.pathText) { return }
                hash.add(bytes: step.entry.path)
                hash.add(permissions: step.entry.permissions, owner: keepsOwners ? step.status : nil)
                for attribute in step.entry.attributes where attribute.isPortable {
                    hash.add(attribute.name)
                    hash.add(bytes: attribute.value)
                }
                switch step.entry.kind {
                case .file: hash.add(try cache.digest(of: step.open(), step.status))
                case .symbolicLink(let target): hash.add(bytes: Array("->".utf8) + target)
                case .hardLink(let target): hash.add(bytes: Array("=".utf8) + target)
                case .directory: hash.add("directory")
                case .characterDevice, .blockDevice, .fifo, .socket: hash.add("\(step.entry.kind)")
                }
            }
        }
        return hash.finish()
    }
}

extension StepKey {
    fileprivate mutating func add(permissions: UInt32, owner: FileStatus?) {
        add("\(permissions)" + (owner.map { " \($0.owner) \($0.group)" } ?? ""))
    }
}
