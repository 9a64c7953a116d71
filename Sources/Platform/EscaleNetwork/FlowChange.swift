package import EscaleNetlink

/// Which remembered UDP exchanges a change of state makes wrong: a value, worked out from both states.
package struct FlowChange<Address: IPAddress>: Hashable, Sendable {
    private struct Port: Hashable, Sendable {
        let address: Address?
        let number: UInt16
    }

    /// Replicas that got traffic redirected to them and no longer do.
    private let gone: Set<Address>
    /// Ports that the host itself answered, or refused, and that lead to containers now.
    private let opened: Set<Port>

    package var isEmpty: Bool { gone.isEmpty && opened.isEmpty }

    /// Whether the next packet of that flow has to be judged afresh.
    package func outdates(_ flow: UDPFlow<Address>) -> Bool {
        if flow.receiver != flow.destination { return gone.contains(flow.receiver) }
        return opened.contains(Port(address: nil, number: flow.destinationPort))
            || opened.contains(Port(address: flow.destination, number: flow.destinationPort))
    }
}

extension FlowChange<IPv4Address> {
    package init(from old: NetworkState, to new: NetworkState) {
        gone = Self.receivers(old).subtracting(Self.receivers(new))
        opened = Self.ports(new).subtracting(Self.ports(old))
    }

    private static func receivers(_ state: NetworkState) -> Set<IPv4Address> {
        let ports = state.ports.filter { $0.transport == .udp }
        return Set(state.services.flatMap(\.backends).map(\.address) + ports.flatMap(\.backends).map(\.address))
    }

    private static func ports(_ state: NetworkState) -> Set<Port> {
        let live = state.ports.filter { port in port.transport == .udp && port.backends.contains { $0.weight > 0 } }
        return Set(live.map { Port(address: $0.hostAddress, number: $0.hostPort) })
    }
}

extension FlowChange<IPv6Address> {
    package init(from old: NetworkState, to new: NetworkState) {
        gone = Self.receivers(old).subtracting(Self.receivers(new))
        opened = []
    }

    private static func receivers(_ state: NetworkState) -> Set<IPv6Address> {
        Set(state.services.flatMap(\.backends).compactMap(\.ipv6))
    }
}
