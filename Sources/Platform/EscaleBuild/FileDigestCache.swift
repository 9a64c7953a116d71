import EscaleArchive
import EscaleCore
import EscaleCrypto
import EscaleSystem
import Synchronization

/// Remembers the digests of files that have not changed since they were read, for as long as the process lives.
final class FileDigestCache: Sendable {
    private struct Key: Hashable {
        let identity: FileStatus.Identity
        let size: Int64
        let modified: FileTime
        let changed: FileTime
    }

    private let known = Mutex<[Key: Digest]>([:])
    private static let limit = 200_000

    /// The digest of the open file's content. Blocks.
    func digest(of file: @autoclosure () throws -> FileDescriptor, _ status: FileStatus) throws -> Digest {
        let key = Key(
            identity: status.identity,
            size: status.size,
            modified: status.modified,
            changed: status.changed
        )
        if let digest = known.withLock({ $0[key] }) { return digest }
        let opened = try file()
        let digest = try SHA256.digest(ofFile: "/proc/self/fd/\(opened.number)")
        // The clock of time stamps is coarse: a file changed just now could change again without showing it.
        if Timestamp.now.nanoseconds / 1_000_000_000 - status.changed.seconds > 2 {
            known.withLock { known in
                if known.count >= Self.limit { known.removeAll() }
                known[key] = digest
            }
        }
        return digest
    }
}
