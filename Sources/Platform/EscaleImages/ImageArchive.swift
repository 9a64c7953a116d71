import EscaleArchive
import EscaleCore
import EscaleOCI
import EscaleSystem
import Glibc

/// An archive with images in it, as `docker save` or a tool for OCI layouts makes it: which files are in it, and where.
/// Nothing is unpacked. Blocks.
struct ImageArchive {
    struct Part {
        let offset: Int64
        let size: Int64
    }

    let path: String
    let file: FileDescriptor
    private var parts: [String: Part] = [:]
    private var links: [String: String] = [:]

    private static let maximalEntries = 100_000
    /// What a manifest or a configuration may take.
    private static let maximalText: Int64 = 8 << 20

    /// - Parameter scratch: where a compressed archive is decompressed to.
    /// - Throws: `archive.*`, `system.*`.
    init(_ path: String, scratch: String) throws {
        self.path = path
        file = try Self.plain(path, scratch)
        let reader = try ArchiveReader(file, name: path)
        var count = 0
        while let entry = try reader.next() {
            count += 1
            guard count <= Self.maximalEntries else {
                throw EscaleError.archiveTooLarge(path, "it has more than \(Self.maximalEntries) entries")
            }
            switch entry.kind {
            case .file(let size): parts[entry.pathText] = Part(offset: reader.contentOffset, size: size)
            case .hardLink(let target): links[entry.pathText] = String(decoding: target, as: UTF8.self)
            case .symbolicLink(let target):
                let above = entry.pathText.split(separator: "/").dropLast().joined(separator: "/")
                links[entry.pathText] = Self.clean(above + "/" + String(decoding: target, as: UTF8.self))
            default: continue
            }
        }
    }

    private static func plain(_ path: String, _ scratch: String) throws -> FileDescriptor {
        let file = try FileDescriptor(path, O_RDONLY)
        var info = stat()
        try check("examine \(path)") { fstat(file.number, &info) }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw EscaleError(.init("archive.unreadable"), "\(path) is not a file")
        }
        let start = FileSource(file, name: path, count: min(512, Int64(info.st_size)))
        guard try Compression(startOf: start) != .none else { return file }
        let target = try FileDescriptor(scratch, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        let source = try Decompressor(FileSource(file, name: path), name: path)
        let compressed = Int64(info.st_size)
        let limits = LayerLimits()
        var count: Int64 = 0
        while true {
            let piece = try source.next()
            if piece.isEmpty { return target }
            count += Int64(piece.count)
            guard count < 1 << 30 || count / limits.ratio <= compressed else {
                throw EscaleError.archiveBomb(path, count, compressed)
            }
            try target.write(piece)
        }
    }

    func has(_ name: String) -> Bool { (try? part(name)) != nil }

    /// - Throws: `image.manifest` where there is no such file.
    func part(_ name: String) throws(EscaleError) -> Part {
        var name = Self.clean(name)
        for _ in 0..<8 {
            if let part = parts[name] { return part }
            guard let target = links[name] else { break }
            name = target
        }
        throw EscaleError.badManifest("there is no \(name) in \(path)")
    }

    func source(_ part: Part, _ name: String) -> FileSource {
        FileSource(file, name: "\(name) in \(path)", from: part.offset, count: part.size)
    }

    /// A small file's content.
    func text(_ name: String) throws -> [UInt8] {
        let part = try part(name)
        guard part.size <= Self.maximalText else {
            throw EscaleError.badManifest("\(name) is too large, \(ByteCount(part.size))")
        }
        var bytes: [UInt8] = []
        let source = source(part, name)
        while true {
            let piece = try source.next()
            if piece.isEmpty { return bytes }
            bytes += piece
        }
    }

    /// - Throws: `image.manifest` where the file isn't what it should be.
    func json<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        let bytes = try text(name)
        do {
            return try decodeJSON(type, from: bytes)
        } catch {
            throw EscaleError.badManifest("\(name) in \(path) can't be read: \(describe(error))")
        }
    }

    private static func clean(_ path: String) -> String {
        var names: [Substring] = []
        for name in path.split(separator: "/") where name != "." {
            if name == ".." { _ = names.popLast() } else { names.append(name) }
        }
        return names.joined(separator: "/")
    }
}
