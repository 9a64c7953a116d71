import CEscaleLinux
package import EscaleCore
import EscaleSystem
import Glibc

/// An exchange of UDP packets that the kernel's connection tracking remembers.
///
/// Where the first packet was sent to, all later ones go too, even when that receiver is gone: such flows have to be
/// forgotten by hand. (TCP connections end by themselves.)
package struct UDPFlow: Hashable, Sendable {
    package let source: IPv4Address
    package let sourcePort: UInt16
    /// What the sender addressed.
    package let destination: IPv4Address
    package let destinationPort: UInt16
    /// Who really gets it.
    package let receiver: IPv4Address

    package init(
        source: IPv4Address, sourcePort: UInt16, destination: IPv4Address, destinationPort: UInt16,
        receiver: IPv4Address
    ) {
        self.source = source
        self.sourcePort = sourcePort
        self.destination = destination
        self.destinationPort = destinationPort
        self.receiver = receiver
    }

    /// All of them in the calling thread's namespace. Blocks.
    package static func all() throws(EscaleError) -> [UDPFlow] {
        var flows: UnsafeMutablePointer<c_escale_flow>?
        var count = 0
        try check("list tracked connections") { c_escale_list_udp_flows(&flows, &count) }
        defer { free(flows) }
        return UnsafeBufferPointer(start: flows, count: count).map {
            UDPFlow(
                source: IPv4Address(rawValue: $0.source), sourcePort: $0.source_port,
                destination: IPv4Address(rawValue: $0.destination), destinationPort: $0.destination_port,
                receiver: IPv4Address(rawValue: $0.reply_source))
        }
    }

    /// Makes the kernel judge the sender's next packet afresh. One that is forgotten already is no error. Blocks.
    package func forget() throws(EscaleError) {
        var flow = c_escale_flow(
            source: source.rawValue, destination: destination.rawValue, reply_source: receiver.rawValue,
            source_port: sourcePort, destination_port: destinationPort)
        let result = c_escale_forget_udp_flow(&flow)
        if result < 0 && errno != ENOENT { throw Errno.current.during("forget a tracked connection") }
    }
}
