import EscaleCore
import EscaleSystem
import Glibc

/// The daemon's socket, seen from outside.
enum DaemonSocket {
    /// Whether somebody accepts connections there. Takes some microseconds and never waits.
    ///
    /// - Throws: where the path is too long for a socket, or may not be used.
    static func answers(_ path: String) throws(EscaleError) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw EscaleError(
                .invalidInput,
                "the socket's path \(path) is longer than the system allows",
                hint: "use a shorter --root: its path may have at most 90 bytes"
            )
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = FileDescriptor(
            owning: try check("make a socket") {
                socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | closeOnExec, 0)
            }
        )
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return true }
        let error = Errno.current
        switch error.code {
        case ENOENT, ECONNREFUSED, EINTR: return false
        case EAGAIN: return true  // somebody listens and is busy
        case _: throw error.during("connect to \(path)")
        }
    }

    private static let closeOnExec = Int32(SOCK_CLOEXEC.rawValue)
}
