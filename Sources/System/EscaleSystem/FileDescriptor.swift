import CEscaleLinux
package import EscaleCore
import Glibc

/// Owns an open descriptor and closes it.
package final class FileDescriptor: Sendable {
    package let number: Int32

    /// Takes the descriptor over.
    package init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// Opens a file, close-on-exec.
    package convenience init(_ path: String, _ flags: Int32, mode: UInt32 = 0o644) throws(EscaleError) {
        self.init(owning: try check("open \(path)") { Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    /// Reads up to `limit` bytes; empty at the end of the file.
    package func read(upTo limit: Int = 65536) throws(EscaleError) -> [UInt8] {
        guard let bytes = try readAvailable(upTo: limit) else { throw Errno(EAGAIN).during("read") }
        return bytes
    }

    /// As ``read(upTo:)``, and `nil` where a non-blocking descriptor has nothing to read yet.
    package func readAvailable(upTo limit: Int = 65536) throws(EscaleError) -> [UInt8]? {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            var result = Glibc.read(number, buffer.baseAddress, limit)
            while result < 0 && errno == EINTR { result = Glibc.read(number, buffer.baseAddress, limit) }
            if result < 0 { failure = .current }
            count = max(0, result)
        }
        guard let failure else { return bytes }
        if failure.code == EAGAIN { return nil }
        throw failure.during("read")
    }

    /// Writes all of it, however often the system takes only a part. Blocks on a full pipe.
    package func write(_ bytes: some Collection<UInt8>) throws(EscaleError) {
        let all = Array(bytes)
        var offset = 0
        while offset < all.count {
            offset += try check("write") {
                all.withUnsafeBytes { Glibc.write(number, $0.baseAddress?.advanced(by: offset), all.count - offset) }
            }
        }
    }

    /// Another descriptor of the same open file, close-on-exec.
    package func duplicate() throws(EscaleError) -> FileDescriptor {
        FileDescriptor(owning: try check("duplicate a descriptor") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }

    /// A null device that is nobody else's, for programs that may give it to another user; the host's own where its file systems
    /// take no devices.
    package static func privateNull() throws(EscaleError) -> FileDescriptor {
        let directory = try Files.makeTemporaryDirectory("escale-null")
        let path = "\(directory)/null"
        defer {
            unlink(path)
            rmdir(directory)
        }
        let number: UInt64 = 1 << 8 | 3
        guard mknod(path, S_IFCHR | 0o666, dev_t(number)) == 0 else { return try FileDescriptor("/dev/null", O_RDWR) }
        do { return try FileDescriptor(path, O_RDWR) } catch { return try FileDescriptor("/dev/null", O_RDWR) }
    }

    /// A pipe, close-on-exec; the reading end doesn't block.
    package static func pipe() throws(EscaleError) -> (reading: FileDescriptor, writing: FileDescriptor) {
        var ends: [Int32] = [-1, -1]
        try check("make a pipe") { c_escale_pipe(&ends) }
        let pair = (reading: FileDescriptor(owning: ends[0]), writing: FileDescriptor(owning: ends[1]))
        try check("set a pipe non-blocking") { fcntl(ends[0], F_SETFL, O_NONBLOCK) }
        return pair
    }
}

extension FileDescriptor {
    // The process's own; never closed, since nothing lets go of them.
    package static let standardInput = FileDescriptor(owning: 0)
    package static let standardOutput = FileDescriptor(owning: 1)
    package static let standardError = FileDescriptor(owning: 2)
}
