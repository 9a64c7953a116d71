import EscaleCompose
import EscaleCore
import EscaleNetlink
import EscaleNetwork

/// The addresses of a network whose file says which they are.
struct AddressPlan: Codable, Hashable, Sendable {
    var subnet: IPv4Subnet
    /// Where containers get addresses from that have none of their own.
    var range: IPv4Subnet
    /// The host's own address on it.
    var gateway: IPv4Address
    /// Addresses that are never given out.
    var taken: Set<IPv4Address>

    /// `nil` where the file leaves the addresses to Escale.
    init?(_ network: Network) {
        guard let pool = network.options?.addresses?.ipv4Pool, let subnet = pool.subnet.flatMap({ IPv4Subnet($0) }) else {
            return nil
        }
        self.subnet = subnet
        range = pool.range.flatMap { IPv4Subnet($0) } ?? subnet
        gateway = pool.gateway.flatMap { IPv4Address($0) } ?? subnet.assignable.lowerBound
        taken = Set(pool.taken.values.compactMap { IPv4Address($0) })
    }
}

extension NetworkRecord {
    var attached: AttachedNetwork {
        AttachedNetwork(name: name, subnet: subnet, isInternal: isInternal, gateway: plan?.gateway, mtu: mtu)
    }

    /// An address for a container: the lowest one of the range that is free.
    func freeAddress(excluding taken: Set<IPv4Address>) throws(EscaleError) -> IPv4Address {
        guard let address = firstFree(in: plan?.range ?? subnet, excluding: taken.union(unavailable)) else {
            throw .networkFull(self)
        }
        return address
    }

    /// An address for a service: the highest one that is free, since files tend to name low ones.
    func freeVirtualAddress(excluding taken: Set<IPv4Address>) throws(EscaleError) -> IPv4Address {
        guard let address = lastFree(in: subnet, excluding: taken.union(unavailable)) else { throw .networkFull(self) }
        return address
    }

    /// Checks an address that a file names for a service's container.
    func check(_ address: IPv4Address, for service: ServiceName) throws(EscaleError) {
        guard subnet.assignable.contains(address) else {
            throw EscaleError(
                .init("network.address"), "service \(service): \(address) is no address of network \(name), which has \(subnet)",
                hint: "choose one between \(subnet.assignable.lowerBound) and \(subnet.assignable.upperBound)")
        }
        guard !unavailable.contains(address) else {
            throw .addressTaken(address, on: name, service: service, by: address == plan?.gateway ? "the host" : "`aux_addresses`")
        }
    }

    /// What no container may have.
    private var unavailable: Set<IPv4Address> { (plan?.taken ?? []).union([plan?.gateway].compactMap(\.self)) }
}

extension EscaleError {
    static func networkFull(_ network: NetworkRecord) -> Self {
        Self(
            .init("network.full"), "network \(network.name) has no free address in \(network.plan?.range ?? network.subnet)",
            hint: "use fewer replicas, a larger subnet, or another network")
    }

    static func addressTaken(
        _ address: IPv4Address, on network: NetworkName, service: ServiceName, by owner: String
    ) -> Self {
        Self(
            .init("network.address-taken"), "service \(service): the address \(address) on network \(network) is taken by \(owner)",
            hint: "choose another address, or bring down what has it")
    }

    static func networkChanged(_ name: NetworkName, from old: IPv4Subnet, to new: String) -> Self {
        Self(
            .init("network.changed"), "network \(name) exists with the addresses \(old), but the file says \(new)",
            hint: "take the project down first, which keeps volumes: `escale down`, then `escale up -d`")
    }

    static func subnetTaken(_ subnet: IPv4Subnet, of network: NetworkName, by owner: String) -> Self {
        Self(
            .init("network.subnet-taken"), "network \(network) can't have the addresses \(subnet): \(owner)",
            hint: "choose another `subnet` in the file, or leave `ipam` out to have a free one chosen")
    }
}
