import Glibc

/// `sockaddr_un` for a path.
enum UnixAddress {
    static let longestPath = 107

    /// Calls the body with the address; `nil` for a path that is too long.
    static func with<Outcome>(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Outcome
    ) -> Outcome? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count <= longestPath else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
