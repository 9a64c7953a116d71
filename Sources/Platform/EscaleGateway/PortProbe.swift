import EscaleCore
import EscaleNetlink
import EscaleSystem
import Glibc

/// Finds out who else has a port. HAProxy itself would share it with whoever allows that, and get half of the clients.
enum PortProbe {
    /// - Throws: `gateway.port-in-use` or `gateway.address`.
    static func check(_ address: IPv4Address?, _ port: UInt16) throws(EscaleError) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = FileDescriptor(owning: try EscaleSystem.check("make a socket") { Glibc.socket(AF_INET, type, 0) })
        var yes: Int32 = 1
        setsockopt(socket.number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = (address?.rawValue ?? 0).bigEndian
        let result = withUnsafePointer(to: name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return }
        let words = address?.description ?? "every address"
        switch errno {
        case EADDRINUSE: throw .portInUse(words, port)
        case EADDRNOTAVAIL: throw .addressUnavailable(words, port)
        default: throw Errno.current.during("serve port \(port) on \(words)")
        }
    }
}
