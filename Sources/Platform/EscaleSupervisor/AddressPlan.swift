import EscaleCompose
import EscaleCore
import EscaleNetlink
import EscaleNetwork

/// A network's addresses of one kind, as its file says which they are.
struct AddressPlan<Address: IPAddress>: Codable, Hashable, Sendable {
    var subnet: IPSubnet<Address>
    /// Where containers get addresses from that have none of their own.
    var range: IPSubnet<Address>
    /// The host's own address on it.
    var gateway: Address
    /// Addresses that are never given out.
    var taken: Set<Address>

    /// `nil` where the file leaves the addresses to Escale.
    init?(_ pool: AddressManagement.Pool?) {
        guard let pool, let subnet = pool.subnet.flatMap({ IPSubnet<Address>($0) }) else { return nil }
        self.init(subnet, range: pool.range.flatMap { IPSubnet($0) }, gateway: pool.gateway.flatMap { Address($0) })
        taken = Set(pool.taken.values.compactMap { Address($0) })
    }

    init(_ subnet: IPSubnet<Address>, range: IPSubnet<Address>? = nil, gateway: Address? = nil) {
        self.subnet = subnet
        self.range = range ?? subnet
        self.gateway = gateway ?? subnet.assignable.lowerBound
        taken = []
    }

    /// What no container may have.
    var unavailable: Set<Address> { taken.union([gateway]) }
}

/// What a network has of one kind of addresses.
struct AddressBlock<Address: IPAddress>: Codable, Hashable, Sendable {
    var subnet: IPSubnet<Address>
    /// As ``NetworkRecord/plan``; of IPv6, whose networks always have a gateway, never `nil`.
    var plan: AddressPlan<Address>?
    /// Each service's virtual address.
    var services: [ServiceName: Address] = [:]

    /// An address for a container: the lowest one of the range that is free.
    func freeAddress(excluding taken: Set<Address>, on network: NetworkName) throws(EscaleError) -> Address {
        guard let address = firstFree(in: plan?.range ?? subnet, excluding: taken.union(unavailable)) else {
            throw .networkFull(network, "\(plan?.range ?? subnet)")
        }
        return address
    }

    /// An address for a service: the highest one that is free, since files tend to name low ones.
    func freeVirtualAddress(excluding taken: Set<Address>, on network: NetworkName) throws(EscaleError) -> Address {
        guard let address = lastFree(in: subnet, excluding: taken.union(unavailable)) else {
            throw .networkFull(network, "\(plan?.range ?? subnet)")
        }
        return address
    }

    /// Checks an address that a file names for a service's container.
    func check(_ address: Address, for service: ServiceName, on network: NetworkName) throws(EscaleError) {
        guard subnet.assignable.contains(address) else {
            throw EscaleError(
                .init("network.address"), "service \(service): \(address) is no address of network \(network), which has \(subnet)",
                hint: "choose one between \(subnet.assignable.lowerBound) and \(subnet.assignable.upperBound)")
        }
        guard !unavailable.contains(address) else {
            throw .addressTaken(
                "\(address)", on: network, service: service, by: address == plan?.gateway ? "the host" : "`aux_addresses`")
        }
    }

    private var unavailable: Set<Address> { plan?.unavailable ?? [] }
}

/// Where records and files have the addresses of one kind.
struct AddressKind<Address: IPAddress> {
    let block: WritableKeyPath<NetworkRecord, AddressBlock<Address>?>
    let own: KeyPath<ContainerRecord.NetworkAddress, Address?>
    let fixed: KeyPath<AttachmentOptions, String?>
}

extension AddressKind<IPv4Address> {
    static var ipv4: Self { Self(block: \.ipv4, own: \.ipv4, fixed: \.ipv4Address) }
}

extension AddressKind<IPv6Address> {
    static var ipv6: Self { Self(block: \.ipv6, own: \.ipv6, fixed: \.ipv6Address) }
}

extension NetworkRecord {
    /// Never `nil`; what it has of IPv4 is kept in fields of its own, as it was before there was IPv6.
    var ipv4: AddressBlock<IPv4Address>? {
        get { AddressBlock(subnet: subnet, plan: plan, services: services) }
        set {
            guard let newValue else { return }
            subnet = newValue.subnet
            plan = newValue.plan
            services = newValue.services
        }
    }

    var attached: AttachedNetwork {
        AttachedNetwork(
            name: name, subnet: subnet, isInternal: isInternal, gateway: plan?.gateway, mtu: mtu,
            ipv6: ipv6.map { .init(subnet: $0.subnet, gateway: gateway(of: $0)) })
    }

    func gateway(of block: AddressBlock<IPv6Address>) -> IPv6Address {
        block.plan?.gateway ?? block.subnet.assignable.lowerBound
    }
}

extension ContainerRecord.NetworkAddress {
    /// Never `nil`.
    var ipv4: IPv4Address? { address }
}

extension EscaleError {
    static func networkFull(_ network: NetworkName, _ block: String) -> Self {
        Self(
            .init("network.full"), "network \(network) has no free address in \(block)",
            hint: "use fewer replicas, a larger subnet, or another network")
    }

    static func addressTaken(
        _ address: String, on network: NetworkName, service: ServiceName, by owner: String
    ) -> Self {
        Self(
            .init("network.address-taken"), "service \(service): the address \(address) on network \(network) is taken by \(owner)",
            hint: "choose another address, or bring down what has it")
    }

    static func networkChanged(_ name: NetworkName, from old: String, to new: String) -> Self {
        Self(
            .init("network.changed"), "network \(name) exists with the addresses \(old), but the file says \(new)",
            hint: "take the project down first, which keeps volumes: `escale down`, then `escale up -d`")
    }

    static func subnetTaken(_ subnet: String, of network: NetworkName, by owner: String) -> Self {
        Self(
            .init("network.subnet-taken"), "network \(network) can't have the addresses \(subnet): \(owner)",
            hint: "choose another `subnet` in the file, or leave `ipam` out to have a free one chosen")
    }

    static func hostWithoutIPv6(_ network: NetworkName) -> Self {
        Self(
            .init("network.no-ipv6"), "network \(network) is to have IPv6 addresses, but this host has IPv6 switched off",
            hint: "switch it on (`sysctl net.ipv6.conf.all.disable_ipv6=0`; not possible where the kernel was booted with "
                + "ipv6.disable=1), or remove `enable_ipv6` from the file")
    }

    static func networkWithoutIPv6(_ network: NetworkName, _ service: ServiceName, _ address: String) -> Self {
        Self(
            .init("network.address"), "service \(service) can't have \(address): network \(network) has no IPv6 addresses",
            hint: "write `enable_ipv6: true` where the network is made, or remove `ipv6_address`")
    }
}
