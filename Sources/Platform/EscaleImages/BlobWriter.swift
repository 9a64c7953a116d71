import EscaleArchive
package import EscaleCore
import EscaleCrypto
package import EscaleSystem
import Glibc

/// A blob on its way into the store: written to a scratch file, digested as it comes, and named by its digest at the end.
/// Until then nobody sees it. For one task at a time.
///
/// One that is let go leaves nothing behind, unless it is kept for another try.
package final class BlobWriter: @unchecked Sendable {
    // Unchecked: the owner uses it from one task or thread at a time.
    package let path: String
    /// How many bytes there are so far.
    package private(set) var count: Int64 = 0
    private let file: FileDescriptor
    private var hasher: SHA256? = SHA256()
    private let store: ImageStore
    private var isKept = false

    /// - Parameter path: a file that may hold the beginning from before; it is read and gone on with.
    init(_ store: ImageStore, path: String) throws {
        self.store = store
        self.path = path
        file = try FileDescriptor(path, O_RDWR | O_CREAT, mode: 0o600)
        let source = FileSource(file, name: path)
        while true {
            let piece = try source.next()
            if piece.isEmpty { break }
            hasher?.update(piece)
            count += Int64(piece.count)
        }
    }

    deinit { if !isKept { unlink(path) } }

    /// Leaves the scratch file where it is, for another writer to go on with.
    package func keep() { isKept = true }

    /// Forgets what came so far.
    package func restart() throws {
        try check("empty \(path)") { ftruncate(file.number, 0) }
        hasher = SHA256()
        count = 0
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            done += try check("write a blob") {
                pwrite(
                    file.number,
                    bytes.baseAddress?.advanced(by: done),
                    bytes.count - done,
                    Int(count) + done
                )
            }
        }
        hasher?.update(bytes)
        count += Int64(bytes.count)
    }

    package func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

    /// What was written so far, for reading; also after the writer is gone.
    package func reading() throws -> FileDescriptor { try FileDescriptor(path, O_RDONLY) }

    /// Puts the blob into the store.
    ///
    /// - Parameters:
    ///   - expected: the digest that it must have; `nil` for whatever it has.
    ///   - sync: whether it is durable once this returns.
    /// - Throws: `image.digest` where it has another; the scratch file is gone then.
    @discardableResult
    package func commit(_ expected: Digest? = nil, sync: Bool = false) throws -> Digest {
        guard let digest = hasher.take()?.finish() else {
            throw EscaleError(.internalFault, "a blob was put into the store twice")
        }
        if let expected, expected != digest {
            isKept = false
            throw EscaleError.wrongDigest("blob", expected: expected, found: digest)
        }
        if sync { try check("sync a blob") { fdatasync(file.number) } }
        try check("put a blob into place") { rename(path, store.blobPath(digest)) }
        isKept = true
        return digest
    }
}

extension ImageStore {
    /// A new blob.
    package func newBlob() throws -> BlobWriter {
        try BlobWriter(self, path: "\(root)/tmp/blob-\(hexadecimal(UInt64.random(in: 0 ... .max)))")
    }

    /// A blob that comes from elsewhere in pieces, and was perhaps begun before. Beginnings survive the daemon.
    package func download(_ digest: Digest) throws -> BlobWriter {
        try Files.createDirectories("\(root)/downloads", mode: 0o700)
        return try BlobWriter(self, path: "\(root)/downloads/\(digest.hex)")
    }

    /// A blob that somebody sends in pieces under that name, begun or gone on with. Beginnings survive the daemon.
    package func upload(_ id: String) throws -> BlobWriter {
        try Files.createDirectories("\(root)/uploads", mode: 0o700)
        return try BlobWriter(self, path: "\(root)/uploads/\(id)")
    }

    package func hasUpload(_ id: String) -> Bool { Files.exists("\(root)/uploads/\(id)") }

    /// The blob's size in bytes; `nil` where it isn't here.
    package func blobSize(_ digest: Digest) -> Int64? {
        var info = stat()
        return stat(blobPath(digest), &info) == 0 ? Int64(info.st_size) : nil
    }

    package func openBlob(_ digest: Digest) throws -> FileDescriptor {
        try FileDescriptor(blobPath(digest), O_RDONLY)
    }

    /// Adds a small blob such as a manifest.
    @discardableResult
    package func addBlob(_ bytes: [UInt8]) throws -> Digest {
        let digest = SHA256.digest(of: bytes)
        if blobSize(digest) != Int64(bytes.count) { try Files.replace(blobPath(digest), bytes, sync: true) }
        return digest
    }
}
