import EscaleCore
package import EscaleSystem
import Glibc

/// Bytes that come one piece after the other, for one reader. Blocks.
package protocol ByteSource: AnyObject {
    /// The next piece, which is valid until the next call; empty at the end, and then ever after.
    func next() throws -> UnsafeRawBufferPointer
    /// Passes over bytes where that costs nothing, and says how many; 0 where they have to be read.
    func skip(_ count: Int64) -> Int64
}

extension ByteSource {
    package func skip(_ count: Int64) -> Int64 { 0 }

    /// Reads on to the end and forgets what comes.
    package func drain() throws { while try !next().isEmpty {} }
}

/// A file's bytes, or a part of them. The file's own position is neither used nor changed.
package final class FileSource: ByteSource {
    private let file: FileDescriptor
    private let name: String
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
    private var offset: Int64
    private var rest: Int64

    /// - Parameters:
    ///   - name: what messages call it.
    ///   - count: the part's length; `nil` for all up to the file's end.
    package init(_ file: FileDescriptor, name: String, from offset: Int64 = 0, count: Int64? = nil) {
        self.file = file
        self.name = name
        self.offset = offset
        rest = count ?? .max
    }

    deinit { buffer.deallocate() }

    package func next() throws -> UnsafeRawBufferPointer {
        guard rest > 0 else { return UnsafeRawBufferPointer(rebasing: buffer[..<0]) }
        let wanted = Int(min(Int64(buffer.count), rest))
        let count = try check("read \(name)") { pread(file.number, buffer.baseAddress, wanted, Int(offset)) }
        guard count > 0 || rest > Int64.max / 2 else { throw EscaleError.truncatedArchive(name) }
        offset += Int64(count)
        rest = count == 0 ? 0 : rest - Int64(count)
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }
}

extension FileSource {
    package func skip(_ count: Int64) -> Int64 {
        // Never to the very end: the next read then tells of a file that is too short.
        let skipped = min(count, rest - 1) / 4096 * 4096
        guard skipped > 0 else { return 0 }
        offset += skipped
        rest -= skipped
        return skipped
    }
}

/// Bytes that are in memory.
package final class MemorySource: ByteSource {
    private let buffer: UnsafeMutableRawBufferPointer
    private var isRead = false

    package init(_ bytes: [UInt8]) {
        buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        buffer.copyBytes(from: bytes)
    }

    deinit { buffer.deallocate() }

    package func next() -> UnsafeRawBufferPointer {
        defer { isRead = true }
        return UnsafeRawBufferPointer(rebasing: isRead ? buffer[..<0] : buffer[...])
    }
}

/// Shows somebody else each piece as it passes, such as a hasher. What that throws, reading throws.
package final class ObservedSource: ByteSource {
    private let source: any ByteSource
    private let observe: (UnsafeRawBufferPointer) throws -> Void

    package init(_ source: any ByteSource, _ observe: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.source = source
        self.observe = observe
    }

    package func next() throws -> UnsafeRawBufferPointer {
        let piece = try source.next()
        if !piece.isEmpty { try observe(piece) }
        return piece
    }
}
