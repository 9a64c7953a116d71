import Glibc

/// Waits for an event descriptor with an eye on the client's socket.
struct ClientWatch {
    private let socket: Int32
    private let events: Int16

    /// A Unix socket tells a client that is gone from one that has only finished sending; TCP doesn't, and
    /// there the end of sending counts as gone.
    init(socket: Int32) {
        self.socket = socket
        var domain: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length)
        events = domain == AF_UNIX ? 0 : Self.peerFinished
    }

    private static let peerFinished: Int16 = 0x2000  // POLLRDHUP

    /// Blocks until the event is signalled, and resets it; `false` when the client is gone.
    func wait(for event: Int32) -> Bool {
        var descriptors = [
            pollfd(fd: event, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: events, revents: 0),
        ]
        while true {
            let count = poll(&descriptors, 2, -1)
            if count < 0, errno == EINTR { continue }
            guard count > 0, descriptors[1].revents == 0 else { return false }
            var value: UInt64 = 0
            _ = read(event, &value, 8)
            return true
        }
    }
}
