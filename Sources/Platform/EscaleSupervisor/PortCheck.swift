import EscaleCompose
import EscaleCore
import EscaleNetlink
import EscaleSystem
import Glibc

/// Who has a host port. The kernel knows only listening sockets: Escale's own published ports are rules, not sockets.
enum PortCheck {
    /// Describes the process that listens on the port; `nil` where none does. Blocks.
    static func listener(on port: PortMapping) -> String? {
        guard let number = port.hostPort, number > 0 else { return nil }
        for table in ["/proc/net/\(port.transport.rawValue)", "/proc/net/\(port.transport.rawValue)6"] {
            guard let text = try? Files.readText(table) else { continue }
            for line in text.split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                guard fields.count > 9, isServing(fields[3], port.transport),
                    overlaps(local: fields[1], port: number, with: port.hostAddress)
                else { continue }
                return owner(inode: fields[9])
            }
        }
        return nil
    }

    /// Whether somebody takes connections at the address of a container. Blocks for a moment at most.
    static func answers(
        _ address: IPv4Address, _ port: UInt16, within limit: Duration = .milliseconds(200)
    ) throws(EscaleError) -> Bool {
        let socket = FileDescriptor(owning: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        guard socket.number >= 0 else { throw Errno.current.during("open a socket") }
        let microseconds = Int(max(limit, .milliseconds(1)) / .microseconds(1))
        var limit = timeval(tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000)
        setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        target.sin_addr.s_addr = address.rawValue.bigEndian
        return withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// `0A` is LISTEN; an unconnected UDP socket shows as `07`.
    private static func isServing(_ state: Substring, _ transport: PortMapping.Transport) -> Bool {
        switch transport {
        case .tcp: state == "0A"
        case .udp: state == "07"
        }
    }

    /// Whether a `0100007F:1F90` of the kernel's table stands in the way of the mapping.
    private static func overlaps(local: Substring, port: UInt16, with address: String?) -> Bool {
        let parts = local.split(separator: ":")
        guard parts.count == 2, UInt16(parts[1], radix: 16) == port else { return false }
        guard let address, address != "0.0.0.0", parts[0].count == 8, let raw = UInt32(parts[0], radix: 16), raw != 0
        else { return true }
        let bytes = (0..<4).map { String(raw >> (8 * $0) & 255) }.joined(separator: ".")
        return bytes == address
    }

    private static func owner(inode: Substring) -> String {
        let link = "socket:[\(inode)]"
        for name in (try? Files.list("/proc")) ?? [] {
            guard let pid = Int32(name) else { continue }
            for fd in (try? Files.list("/proc/\(pid)/fd")) ?? []
            where Files.linkTarget("/proc/\(pid)/fd/\(fd)") == link {
                let program = ((try? Files.readText("/proc/\(pid)/comm")) ?? "").split(separator: "\n").first ?? "?"
                return "\(program) (process \(pid))"
            }
        }
        return "another process"
    }
}
