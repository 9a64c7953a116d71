import CArchive
package import EscaleCore
import EscaleSystem
import Glibc

/// How a layer or an archive is compressed, told by its first bytes.
package enum Compression: String, Sendable, CaseIterable {
    case none, gzip, zstd, xz, bzip2

    /// What begins with these bytes. Anything unknown counts as not compressed.
    package init(of start: UnsafeRawBufferPointer) {
        let magics: [(Compression, [UInt8])] = [
            (.gzip, [0x1f, 0x8b]), (.zstd, [0x28, 0xb5, 0x2f, 0xfd]),
            (.xz, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]),
            (.bzip2, [0x42, 0x5a, 0x68]),
        ]
        self = magics.first { start.starts(with: $0.1) }?.0 ?? .none
    }

    /// What a source begins with; takes its first piece.
    package init(startOf source: any ByteSource) throws {
        // The piece is the source's own memory.
        self = try withExtendedLifetime(source) { Compression(of: try source.next()) }
    }
}

/// Decompresses what another source gives: gzip, zstd, xz or bzip2; passes on what isn't compressed.
package final class Decompressor: ByteSource {
    private let handle: OpaquePointer
    private let feed: ArchiveFeed
    private let name: String
    private var isOpen = false
    private var isAtEnd = false

    /// - Parameter name: what messages call it.
    package init(_ source: any ByteSource, name: String) throws(EscaleError) {
        guard let handle = archive_read_new() else { throw Errno(ENOMEM).during("read \(name)") }
        self.handle = handle
        self.name = name
        feed = ArchiveFeed(source)
        archive_read_support_format_raw(handle)
        acceptCompressions(handle)
    }

    deinit { archive_read_free(handle) }

    package func next() throws -> UnsafeRawBufferPointer {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        guard !isAtEnd else { return nothing }
        if !isOpen {
            isOpen = true
            guard feed.open(handle) == ARCHIVE_OK else { throw failure() }
            var entry: OpaquePointer?
            let status = archive_read_next_header(handle, &entry)
            if status == ARCHIVE_EOF {
                isAtEnd = true
                return nothing
            }
            guard status == ARCHIVE_OK || status == ARCHIVE_WARN else { throw failure() }
        }
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        while count == 0 {
            let status = archive_read_data_block(handle, &start, &count, &offset)
            if status == ARCHIVE_EOF {
                isAtEnd = true
                return nothing
            }
            guard status == ARCHIVE_OK || status == ARCHIVE_WARN else { throw failure() }
        }
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    private func failure() -> any Error { feed.failure ?? EscaleError.archive("decompress \(name)", handle) }
}

/// Lets a reader take what is compressed in any of the known ways, and nothing at all, which is an archive of nothing.
func acceptCompressions(_ handle: OpaquePointer) {
    archive_read_support_filter_gzip(handle)
    archive_read_support_filter_zstd(handle)
    archive_read_support_filter_xz(handle)
    archive_read_support_filter_bzip2(handle)
    archive_read_support_format_empty(handle)
}

/// What libarchive pulls its bytes from; keeps what the source threw.
final class ArchiveFeed {
    let source: any ByteSource
    private(set) var failure: (any Error)?

    init(_ source: any ByteSource) { self.source = source }

    /// The handle must not outlive the feed.
    func open(_ handle: OpaquePointer) -> Int32 {
        archive_read_open2(
            handle,
            Unmanaged.passUnretained(self).toOpaque(),
            nil,
            { _, context, bytes in
                guard let context, let bytes else { return -1 }
                return Unmanaged<ArchiveFeed>.fromOpaque(context).takeUnretainedValue().read(bytes)
            },
            { _, context, count in
                guard let context else { return 0 }
                return Unmanaged<ArchiveFeed>.fromOpaque(context).takeUnretainedValue().source.skip(count)
            },
            nil
        )
    }

    private func read(_ bytes: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        do {
            let piece = try source.next()
            bytes.pointee = piece.baseAddress
            return piece.count
        } catch {
            failure = error
            return -1
        }
    }
}
