import Glibc

/// What systemd gave the daemon that it started, and wants to be told.
struct SystemdHandover: Sendable {
    /// The listening socket of escale.socket; `nil` where the daemon makes its own.
    let socket: Int32?
    private let notifications: String?

    init(environment: [String: String]) {
        // Meant for another process where the number differs, such as one that started this one.
        let isOwn = environment["LISTEN_PID"].flatMap { Int32($0) } == getpid()
        socket = isOwn && environment["LISTEN_FDS"] == "1" ? 3 : nil
        notifications = environment["NOTIFY_SOCKET"]
    }

    /// Says that requests are answered, where somebody waits for it. Best effort: nobody else can be told that it failed.
    func tellReady() {
        guard let notifications, let first = notifications.utf8.first else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(notifications.utf8)
        // An abstract name begins with 0 instead of @.
        if first == UInt8(ascii: "@") { name[0] = 0 }
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = "READY=1"
        _ = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, message, message.utf8.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
