import CArchive
package import EscaleCore
package import EscaleSystem
import Glibc

/// Writes a tar archive, piece by piece, to whoever takes the bytes. The same entries give the same bytes.
///
/// The format is pax with extended headers only where an entry needs one; times are whole seconds.
package final class ArchiveWriter {
    private let handle: OpaquePointer
    private let sink: Sink
    private var isOpen = true
    private var hasRawEntry = false

    enum Format { case tar, raw }

    /// - Parameter sink: takes the bytes; what it throws comes out of the call that wrote them.
    package convenience init(
        compression: Compression = .none,
        sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws(EscaleError) {
        try self.init(compression: compression, format: .tar, sink: sink)
    }

    init(
        compression: Compression,
        format: Format,
        sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws(EscaleError) {
        guard let handle = archive_write_new() else { throw Errno(ENOMEM).during("write an archive") }
        self.handle = handle
        self.sink = Sink(sink)
        switch format {
        case .tar:
            archive_write_set_format_pax_restricted(handle)
            archive_write_set_format_option(handle, "pax", "xattrheader", "SCHILY")
        case .raw: archive_write_set_format_raw(handle)
        }
        switch compression {
        case .none: archive_write_add_filter_none(handle)
        case .gzip:
            archive_write_add_filter_gzip(handle)
            archive_write_set_filter_option(handle, "gzip", "timestamp", nil)
        case .zstd: archive_write_add_filter_zstd(handle)
        case .xz: archive_write_add_filter_xz(handle)
        case .bzip2: archive_write_add_filter_bzip2(handle)
        }
        archive_write_set_bytes_per_block(handle, 1 << 17)
        archive_write_set_bytes_in_last_block(handle, 1)
        let status = archive_write_open(
            handle,
            Unmanaged.passUnretained(self.sink).toOpaque(),
            nil,
            { _, context, bytes, count in
                guard let context else { return -1 }
                let sink = Unmanaged<Sink>.fromOpaque(context).takeUnretainedValue()
                return sink.take(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : -1
            },
            nil
        )
        guard status == ARCHIVE_OK else { throw .archive("write an archive", handle) }
    }

    deinit {
        // An archive that was given up must not write its end to the sink.
        if isOpen { archive_write_fail(handle) }
        archive_write_free(handle)
    }

    /// Adds an entry; a file's content comes from the descriptor.
    ///
    /// - Throws: also where the file has fewer bytes than the entry says.
    package func add(_ entry: TreeEntry, content: FileDescriptor? = nil) throws {
        guard let raw = archive_entry_new() else { throw Errno(ENOMEM).during("write an archive") }
        defer { archive_entry_free(raw) }
        entry.fill(raw)
        try expect(withUTF8 { archive_write_header(handle, raw) })
        if let content, case .file(let size) = entry.kind { try write(content, size, of: entry) }
        try expect(archive_write_finish_entry(handle))
    }

    private func write(_ content: FileDescriptor, _ size: Int64, of entry: TreeEntry) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)
        defer { buffer.deallocate() }
        var rest = size
        while rest > 0 {
            let count = try check("read \(entry.pathText)") {
                read(content.number, buffer.baseAddress, min(buffer.count, Int(rest)))
            }
            guard count > 0 else {
                throw EscaleError(
                    .init("archive.changed"),
                    "\(entry.pathText) became shorter while it was read"
                )
            }
            guard archive_write_data(handle, buffer.baseAddress, count) == count else { throw failure() }
            rest -= Int64(count)
        }
    }

    /// Adds to the one entry of a raw archive.
    func writeRaw(_ bytes: UnsafeRawBufferPointer) throws {
        if !hasRawEntry {
            hasRawEntry = true
            guard let raw = archive_entry_new() else { throw Errno(ENOMEM).during("compress") }
            defer { archive_entry_free(raw) }
            archive_entry_set_pathname(raw, "data")
            archive_entry_set_filetype(raw, S_IFREG)
            try expect(archive_write_header(handle, raw))
        }
        var done = 0
        while done < bytes.count {
            let count = archive_write_data(handle, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            guard count > 0 else { throw failure() }
            done += count
        }
    }

    /// Adds an entry whose content comes in pieces of its size in total, from the body.
    package func add(_ entry: TreeEntry, writing body: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        guard let raw = archive_entry_new() else { throw Errno(ENOMEM).during("write an archive") }
        defer { archive_entry_free(raw) }
        entry.fill(raw)
        try expect(withUTF8 { archive_write_header(handle, raw) })
        try body { bytes in
            guard archive_write_data(handle, bytes.baseAddress, bytes.count) == bytes.count else { throw failure() }
        }
        try expect(archive_write_finish_entry(handle))
    }

    /// Writes the archive's end. To be called once.
    package func finish() throws {
        isOpen = false
        try expect(archive_write_close(handle))
    }

    private func expect(_ status: Int32) throws {
        // A warning means a name that is no UTF-8, which is archived by its bytes.
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN else { throw failure() }
    }

    private func failure() -> any Error { sink.failure ?? EscaleError.archive("write an archive", handle) }
}

/// What the C callback reaches: the closure, and what it threw.
private final class Sink {
    private let body: (UnsafeRawBufferPointer) throws -> Void
    private(set) var failure: (any Error)?

    init(_ body: @escaping (UnsafeRawBufferPointer) throws -> Void) { self.body = body }

    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do {
            try body(bytes)
            return true
        } catch {
            failure = error
            return false
        }
    }
}

extension TreeEntry {
    fileprivate func fill(_ raw: OpaquePointer) {
        let name = isDirectory ? path + [UInt8(ascii: "/")] : path
        withCPath(name) { archive_entry_set_pathname(raw, $0) }
        archive_entry_set_perm(raw, mode_t(permissions))
        archive_entry_set_uid(raw, Int64(owner))
        archive_entry_set_gid(raw, Int64(group))
        archive_entry_set_mtime(raw, time_t(modified.seconds), 0)
        archive_entry_set_size(raw, 0)
        switch kind {
        case .file(let size):
            archive_entry_set_filetype(raw, S_IFREG)
            archive_entry_set_size(raw, size)
        case .directory: archive_entry_set_filetype(raw, S_IFDIR)
        case .symbolicLink(let target):
            archive_entry_set_filetype(raw, S_IFLNK)
            withCPath(target) { archive_entry_set_symlink(raw, $0) }
        case .hardLink(let target):
            archive_entry_set_filetype(raw, S_IFREG)
            withCPath(target) { archive_entry_set_hardlink(raw, $0) }
        case .characterDevice(let major, let minor):
            archive_entry_set_filetype(raw, S_IFCHR)
            archive_entry_set_rdevmajor(raw, dev_t(major))
            archive_entry_set_rdevminor(raw, dev_t(minor))
        case .blockDevice(let major, let minor):
            archive_entry_set_filetype(raw, S_IFBLK)
            archive_entry_set_rdevmajor(raw, dev_t(major))
            archive_entry_set_rdevminor(raw, dev_t(minor))
        case .fifo: archive_entry_set_filetype(raw, S_IFIFO)
        case .socket: archive_entry_set_filetype(raw, S_IFSOCK)
        }
        for attribute in attributes {
            attribute.value.withUnsafeBytes {
                archive_entry_xattr_add_entry(raw, attribute.name, $0.baseAddress, $0.count)
            }
        }
    }
}
