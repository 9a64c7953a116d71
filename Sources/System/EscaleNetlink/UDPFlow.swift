import CEscaleLinux
package import EscaleCore
import EscaleSystem
import Glibc

/// An exchange of UDP packets that the kernel's connection tracking remembers.
///
/// Where the first packet was sent to, all later ones go too, even when that receiver is gone: such flows have to be
/// forgotten by hand. (TCP connections end by themselves.)
package struct UDPFlow<Address: IPAddress>: Hashable, Sendable {
    package let source: Address
    package let sourcePort: UInt16
    /// What the sender addressed.
    package let destination: Address
    package let destinationPort: UInt16
    /// Who really gets it.
    package let receiver: Address

    package init(
        source: Address, sourcePort: UInt16, destination: Address, destinationPort: UInt16,
        receiver: Address
    ) {
        self.source = source
        self.sourcePort = sourcePort
        self.destination = destination
        self.destinationPort = destinationPort
        self.receiver = receiver
    }

    /// All of them in the calling thread's namespace. Blocks.
    package static func all() throws(EscaleError) -> [UDPFlow] {
        try trackedFlows(IPPROTO_UDP, Address.self).map { UDPFlow($0) }
    }

    /// Those in the calling thread's namespace of which a packet was seen so lately, by the kernel's count of whole
    /// seconds. Blocks.
    ///
    /// The kernel does not say when it saw a packet but when it will forget the flow, and a packet sets that to one of
    /// two settings. While such a setting is being changed, the answer is off by as much.
    package static func seen(within seconds: Int) throws(EscaleError) -> [UDPFlow] {
        let flows = try trackedFlows(IPPROTO_UDP, Address.self)
        if flows.isEmpty { return [] }
        let lone = try kernelSetting("udp_timeout")
        let lasting = try kernelSetting("udp_timeout_stream")
        return flows.compactMap {
            let idle = ($0.is_assured != 0 ? lasting : lone) - Int($0.seconds_left)
            return idle <= seconds ? UDPFlow($0) : nil
        }
    }

    private init(_ flow: c_escale_flow) {
        self.init(
            source: Address(flow.source), sourcePort: flow.source_port, destination: Address(flow.destination),
            destinationPort: flow.destination_port, receiver: Address(flow.reply_source))
    }

    /// A setting of connection tracking in the calling thread's namespace, in seconds.
    private static func kernelSetting(_ name: String) throws(EscaleError) -> Int {
        let path = "/proc/sys/net/netfilter/nf_conntrack_\(name)"
        let text = try Files.readText(path).filter { !$0.isWhitespace }
        guard let value = Int(text) else {
            throw EscaleError(.init("network.setting"), "\(path) says \"\(text)\", which is no number of seconds")
        }
        return value
    }

    /// Makes the kernel judge the sender's next packet afresh. One that is forgotten already is no error. Blocks.
    package func forget() throws(EscaleError) {
        var flow = c_escale_flow(
            family: UInt8(Address.family.number), source: c_escale_address(source),
            destination: c_escale_address(destination), reply_source: c_escale_address(receiver), source_port: sourcePort, destination_port: destinationPort, seconds_left: 0, is_assured: 0, tcp_state: 0)
        let result = c_escale_forget_udp_flow(&flow)
        if result < 0 && errno != ENOENT { throw Errno.current.during("forget a tracked connection") }
    }
}
