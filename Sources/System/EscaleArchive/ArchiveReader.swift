import CArchive
package import EscaleCore
package import EscaleSystem
import Glibc

/// Runs the body with UTF-8 as the thread's character set, which the library takes archived names to be in.
func withUTF8<Value>(_ body: () throws -> Value) rethrows -> Value {
    let locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil)
    let before = uselocale(locale)
    defer {
        uselocale(before)
        if let locale { freelocale(locale) }
    }
    return try body()
}

/// Reads a tar archive from start to end: plain or compressed with gzip, zstd, xz or bzip2. Blocks.
package final class ArchiveReader {
    private let handle: OpaquePointer
    private let feed: ArchiveFeed
    private let name: String

    package convenience init(path: String) throws(EscaleError) {
        try self.init(FileDescriptor(path, O_RDONLY), name: path)
    }

    /// - Parameter name: what messages call it.
    package convenience init(_ file: FileDescriptor, name: String) throws(EscaleError) {
        try self.init(FileSource(file, name: name), name: name)
    }

    /// - Parameter name: what messages call it.
    package init(_ source: any ByteSource, name: String) throws(EscaleError) {
        guard let handle = archive_read_new() else { throw Errno(ENOMEM).during("read \(name)") }
        self.handle = handle
        self.name = name
        feed = ArchiveFeed(source)
        archive_read_support_format_tar(handle)
        acceptCompressions(handle)
        guard feed.open(handle) == ARCHIVE_OK else { throw failure() }
    }

    deinit { archive_read_free(handle) }

    private func failure() -> EscaleError {
        feed.failure.map { EscaleError(wrapping: $0) } ?? .archive("read \(name)", handle)
    }

    /// The next entry; `nil` at the end. Paths come without leading slashes and `.` components.
    package func next() throws(EscaleError) -> TreeEntry? {
        var entry: OpaquePointer?
        let status = withUTF8 { archive_read_next_header(handle, &entry) }
        if status == ARCHIVE_EOF { return nil }
        // A warning means that something of the entry could not be converted; its bytes are there all the same.
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
            throw failure()
        }
        guard let parsed = TreeEntry(entry) else { throw .damagedEntry(name) }
        return parsed
    }

    /// Where the content of the entry that came last begins in an archive that isn't compressed, in bytes.
    package var contentOffset: Int64 { archive_filter_bytes(handle, 0) }

    /// Writes the content of the entry that came last; holes stay holes.
    ///
    /// - Parameter limit: how long the file may become, holes included.
    package func copyContent(to target: FileDescriptor, limit: Int64 = .max) throws(EscaleError) {
        var end: Int64 = 0
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: Int64 = 0
            let status = archive_read_data_block(handle, &start, &count, &offset)
            if status == ARCHIVE_EOF { break }
            guard status == ARCHIVE_OK || status == ARCHIVE_WARN else {
                throw failure()
            }
            // A map of a sparse file may say anything.
            guard offset >= 0, offset <= limit - Int64(count) else { throw .archiveTooLarge(name) }
            var done = 0
            while done < count {
                done += try check("write an unpacked file") {
                    pwrite(target.number, start?.advanced(by: done), count - done, Int(offset) + done)
                }
            }
            end = max(end, offset + Int64(count))
        }
        try check("write an unpacked file") { ftruncate(target.number, Int(end)) }
    }

    /// The content of the entry that came last, at most `limit` bytes of it.
    package func content(limit: Int) throws(EscaleError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        var used = 0
        while used < limit {
            let count = bytes.withUnsafeMutableBytes {
                archive_read_data(handle, $0.baseAddress?.advanced(by: used), limit - used)
            }
            guard count >= 0 else { throw failure() }
            if count == 0 { break }
            used += count
        }
        return Array(bytes.prefix(used))
    }
}

private func bytes(_ text: UnsafePointer<CChar>?) -> PathBytes? {
    text.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
}

extension TreeEntry {
    /// `nil` for one whose name or link can't be read.
    fileprivate init?(_ entry: OpaquePointer) {
        guard let path = bytes(archive_entry_pathname(entry)) else { return nil }
        let clean = { (path: PathBytes) in PathBytes(path.components.joined(separator: [UInt8(ascii: "/")])) }
        let major = UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry))
        let minor = UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry))
        let kind: Kind
        if let target = bytes(archive_entry_hardlink(entry)) {
            kind = .hardLink(target: clean(target))
        } else {
            kind =
                switch UInt32(archive_entry_filetype(entry)) {
                case S_IFDIR: .directory
                case S_IFLNK: .symbolicLink(target: bytes(archive_entry_symlink(entry)) ?? [])
                case S_IFCHR: .characterDevice(major: major, minor: minor)
                case S_IFBLK: .blockDevice(major: major, minor: minor)
                case S_IFIFO: .fifo
                case S_IFSOCK: .socket
                default: .file(size: archive_entry_size(entry))
                }
        }
        self.init(
            path: clean(path),
            kind: kind,
            permissions: UInt32(archive_entry_perm(entry)),
            owner: UInt32(truncatingIfNeeded: archive_entry_uid(entry)),
            group: UInt32(truncatingIfNeeded: archive_entry_gid(entry)),
            modified: FileTime(
                seconds: Int64(archive_entry_mtime(entry)),
                nanoseconds: Int64(archive_entry_mtime_nsec(entry))
            ),
            attributes: Self.attributes(entry)
        )
    }

    private static func attributes(_ entry: OpaquePointer) -> [ExtendedAttribute] {
        var found: [String: [UInt8]] = [:]
        archive_entry_xattr_reset(entry)
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK, let known = name {
            found[String(cString: known)] = Array(UnsafeRawBufferPointer(start: value, count: size))
        }
        return found.map { ExtendedAttribute($0.key, $0.value) }.filter(\.isPortable).sorted {
            $0.name < $1.name
        }
    }
}
