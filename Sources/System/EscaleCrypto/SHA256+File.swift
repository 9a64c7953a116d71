package import EscaleCore
import Glibc

extension SHA256 {
    /// The digest of a file's content, read in blocks of 256 KiB.
    ///
    /// Blocks its thread for as long as the disk takes, so large files don't belong on the concurrency pool.
    /// - Throws: `crypto.unreadable` where the file can't be opened or read (a directory, too).
    package static func digest(ofFile path: String) throws(EscaleError) -> Digest {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw .unreadable(path, errno) }
        defer { close(descriptor) }
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)  // only a hint

        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 4096)
        defer { block.deallocate() }
        var hasher = SHA256()
        while true {
            let count = read(descriptor, block.baseAddress, block.count)
            if count == 0 { return hasher.finish() }
            if count > 0 {
                hasher.update(UnsafeRawBufferPointer(rebasing: block[..<count]))
            } else if errno != EINTR {
                throw .unreadable(path, errno)
            }
        }
    }
}

extension EscaleError {
    fileprivate static func unreadable(_ path: String, _ reason: Int32) -> Self {
        Self(
            Code("crypto.unreadable"),
            "cannot read \(path): \(String(cString: strerror(reason)))",
            hint: "check that the file exists and that Escale may read it"
        )
    }
}
