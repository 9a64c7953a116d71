import EscaleCore
import Glibc

/// A socket that listens. Closing is explicit, because the thread that accepts must be gone before.
struct ListeningSocket: Sendable {
    let descriptor: Int32
    /// The TCP port, also where 0 was asked for; `nil` for a Unix socket.
    let port: UInt16?
    /// The Unix socket's path and inode, so that only this socket's own file is removed.
    private let file: (path: String, inode: ino_t)?

    private static let backlog: Int32 = 1024

    /// Listens at the path with the given mode and no moment of a wider one. A socket file that nobody
    /// listens at is replaced; any other file is left alone.
    static func unix(path: String, mode: mode_t) throws(EscaleError) -> ListeningSocket {
        guard path.utf8.count <= UnixAddress.longestPath else { throw .socketPathTooLong(path) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | closeOnExec | nonBlocking, 0)
        guard descriptor >= 0 else { throw .listen("listen at", path, errno) }
        do throws(EscaleError) {
            // Linux gives the file the mode of the unbound socket; umask would be the whole process's.
            guard fchmod(descriptor, mode) == 0 else { throw .listen("set the mode of", path, errno) }
            if try !bind(descriptor, path) {
                try removeStale(path)
                guard try bind(descriptor, path) else { throw .addressInUse(path) }
            }
            var status = stat()
            guard lstat(path, &status) == 0, chmod(path, mode) == 0, listen(descriptor, backlog) == 0 else {
                throw .listen("listen at", path, errno)
            }
            return ListeningSocket(descriptor: descriptor, port: nil, file: (path, status.st_ino))
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Listens at a numeric address, IPv4 or IPv6; port 0 takes a free one.
    static func tcp(address: String, port: UInt16) throws(EscaleError) -> ListeningSocket {
        let name = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, "\(port)", &hints, &found) == 0, let found else {
            throw EscaleError(
                .httpListenFailed, "\(address) is not an address to listen at", hint: "write it like 127.0.0.1 or ::1")
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(found.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | closeOnExec | nonBlocking, 0)
        guard descriptor >= 0 else { throw .listen("listen at", name, errno) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard Glibc.bind(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0,
            listen(descriptor, backlog) == 0, let actual = boundPort(descriptor)
        else {
            let reason = errno
            Glibc.close(descriptor)
            throw reason == EADDRINUSE ? .addressInUse(name) : .listen("listen at", name, reason)
        }
        return ListeningSocket(descriptor: descriptor, port: actual, file: nil)
    }

    /// Takes over a socket that listens.
    static func inherited(_ descriptor: Int32) throws(EscaleError) -> ListeningSocket {
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else {
            throw .listen("listen at", "descriptor \(descriptor)", errno)
        }
        return ListeningSocket(descriptor: descriptor, port: nil, file: nil)
    }

    private static func boundPort(_ descriptor: Int32) -> UInt16? {
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        // The port is at the same place in both families' addresses.
        return result == 0 ? UInt16(bigEndian: address.sin6_port) : nil
    }

    /// Removes the socket's file, unless somebody else's has taken its place.
    func removeFile() {
        guard let file else { return }
        var status = stat()
        if lstat(file.path, &status) == 0, status.st_ino == file.inode { unlink(file.path) }
    }

    func close() { Glibc.close(descriptor) }

    /// `false` where the path is taken.
    private static func bind(_ descriptor: Int32, _ path: String) throws(EscaleError) -> Bool {
        let result =
            UnixAddress.with(path) { Glibc.bind(descriptor, $0, $1) == 0 ? 0 : errno } ?? ENAMETOOLONG
        guard result == 0 || result == EADDRINUSE else { throw .listen("listen at", path, result) }
        return result == 0
    }

    private static func removeStale(_ path: String) throws(EscaleError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw EscaleError(
                .httpListenFailed,
                "\(path) is in the way: it is not a socket",
                hint: "move it away and try again"
            )
        }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | closeOnExec | nonBlocking, 0)
        guard probe >= 0 else { throw .listen("probe", path, errno) }
        defer { Glibc.close(probe) }
        let result = UnixAddress.with(path) { connect(probe, $0, $1) == 0 ? 0 : errno } ?? ENAMETOOLONG
        guard result == ECONNREFUSED || result == ENOENT else { throw .addressInUse(path) }
        guard unlink(path) == 0 || errno == ENOENT else { throw .listen("replace", path, errno) }
    }

    private static let closeOnExec = Int32(SOCK_CLOEXEC.rawValue)
    private static let nonBlocking = Int32(SOCK_NONBLOCK.rawValue)
}
