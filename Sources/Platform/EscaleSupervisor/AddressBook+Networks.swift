import EscaleCompose
import EscaleCore
import EscaleNetlink
import EscaleNetwork
import EscaleSystem

/// How networks come to be: which blocks of addresses they have.
extension AddressBook {
    /// Makes a network, with a subnet of its own where the file names none; one that exists stays as it is.
    func create(_ spec: Network, of project: ProjectName) async throws {
        if networks[spec.name] != nil { return }
        if let record = unreadable[spec.name] { throw EscaleError.recordUnreadable(record) }
        let plan = spec.plan
        if let plan { try await checkFree(plan.subnet, for: spec.name, except: instance.pool, own: instance.reserved, .ipv4) }
        let ipv6 = spec.hasIPv6 ? try await newIPv6(for: spec) : nil
        // Another project may have made it meanwhile.
        if networks[spec.name] != nil { return }
        guard let subnet = plan?.subnet ?? instance.freeNetwork(excluding: occupied(.ipv4)) else {
            throw Self.poolExhausted("\(instance.pool)")
        }
        var record = NetworkRecord(
            name: spec.name, project: project, key: spec.key, subnet: subnet, isInternal: spec.isInternal)
        record.plan = plan
        record.mtu = spec.options?.mtu
        record.ipv6 = try ipv6.map { try settled($0) }
        try store.save(record)
        networks[spec.name] = record
    }

    /// The networks' blocks, and the addresses of containers on those of which more isn't known.
    private func occupied<Address: IPAddress>(_ kind: AddressKind<Address>) -> [IPSubnet<Address>] {
        let strangers = projects.values.flatMap(\.containers).flatMap(\.addresses).filter { unreadable[$0.network] != nil }
        return networks.values.compactMap { $0[keyPath: kind.block]?.subnet }
            + strangers.compactMap { $0[keyPath: kind.own] }.map { IPSubnet(containing: $0, prefixLength: Address.Number.bitWidth) }
    }

    private static func poolExhausted(_ pool: String) -> EscaleError {
        EscaleError(
            .init("network.pool-exhausted"), "every subnet of \(pool) is in use",
            hint: "take projects down that are not needed: `escale ls`")
    }

    /// Takes over what the file says of a network that exists, as far as that can change under its containers.
    ///
    /// - Throws: `network.changed` where it says other addresses.
    func revise(_ spec: Network, of project: ProjectName) async throws {
        guard let known = networks[spec.name], known.project == project, !spec.isExternal else { return }
        let plan = spec.plan
        if plan?.subnet != known.plan?.subnet {
            throw EscaleError.networkChanged(
                spec.name, from: "\(known.subnet)", to: plan.map { "\($0.subnet)" } ?? "nothing of that")
        }
        let ipv6 = try await revisedIPv6(of: known, by: spec)
        guard var record = networks[spec.name] else { return }
        record.plan = plan
        record.mtu = spec.options?.mtu
        record.isInternal = spec.isInternal
        record.ipv6 = ipv6
        try store.save(record)
        networks[spec.name] = record
    }

    // MARK: IPv6

    /// The block may come to a network that has none; containers get addresses of it as they are made anew.
    private func revisedIPv6(of record: NetworkRecord, by spec: Network) async throws -> AddressBlock<IPv6Address>? {
        let plan = spec.plan6
        guard var block = record.ipv6 else { return spec.hasIPv6 ? try settled(try await newIPv6(for: spec)) : nil }
        guard spec.hasIPv6, plan.map({ $0.subnet == block.subnet }) ?? instance.pool6.contains(block.subnet) else {
            let now = spec.hasIPv6 ? plan.map { "\($0.subnet)" } ?? "nothing of that" : "that it has no IPv6"
            throw EscaleError.networkChanged(spec.name, from: "\(block.subnet)", to: now)
        }
        if let plan { block.plan = plan }
        return block
    }

    /// What the file says of a network's IPv6 addresses, checked; without a subnet the blocks that others have.
    private enum NewIPv6 {
        case planned(AddressPlan<IPv6Address>)
        case chosen(excluding: [IPv6Subnet])
    }

    private func newIPv6(for spec: Network) async throws -> NewIPv6 {
        guard controller.hasIPv6 else { throw EscaleError.hostWithoutIPv6(spec.name) }
        if let plan = spec.plan6 {
            try await checkFree(plan.subnet, for: spec.name, except: instance.pool6, own: instance.reserved6, .ipv6)
            return .planned(plan)
        }
        let pool = instance.pool6
        return .chosen(excluding: try await blocking { try HostAddresses.blocks(IPv6Address.self) }.map(\.subnet)
            .filter { !$0.contains(pool) })
    }

    /// At once, so that nobody else is given the same block.
    private func settled(_ new: NewIPv6) throws -> AddressBlock<IPv6Address> {
        switch new {
        case .planned(let plan): return AddressBlock(subnet: plan.subnet, plan: plan)
        case .chosen(let others):
            guard let subnet = instance.freeNetwork6(excluding: others + occupied(.ipv6)) else {
                throw Self.poolExhausted("\(instance.pool6)")
            }
            return AddressBlock(subnet: subnet, plan: AddressPlan(subnet))
        }
    }

    // MARK: -

    /// - Parameters:
    ///   - pool: the instance's addresses, of which the host has what is its own.
    ///   - own: those of them that no network may have.
    /// - Throws: `network.subnet-taken` where others have addresses of the subnet.
    private func checkFree<Address: IPAddress>(
        _ subnet: IPSubnet<Address>, for network: NetworkName, except pool: IPSubnet<Address>, own: IPSubnet<Address>,
        _ kind: AddressKind<Address>
    ) async throws {
        func taken(by owner: String) -> EscaleError { .subnetTaken("\(subnet)", of: network, by: owner) }
        let known = networks.values.sorted { $0.name < $1.name }.compactMap { record in
            record[keyPath: kind.block].map { (record, $0.subnet) }
        }
        for (other, block) in known where block.overlaps(subnet) {
            throw taken(by: "network \(other.name) of project \(other.project) has \(block)")
        }
        guard !subnet.overlaps(own), pool == subnet || !subnet.contains(pool) else {
            throw taken(by: "Escale has \(own) for itself")
        }
        let ours = [pool] + known.map(\.1)
        let others = try await blocking { try HostAddresses.blocks(Address.self) }
        for other in others where other.subnet.overlaps(subnet) && !ours.contains(where: { $0.contains(other.subnet) }) {
            throw taken(
                by: other.link == "lo" || other.link.hasPrefix("esc")
                    ? "\(other.subnet) is that of another Escale on this host" : "\(other.subnet) is in use on \(other.link)")
        }
    }
}

extension Network {
    fileprivate var plan: AddressPlan<IPv4Address>? { AddressPlan(options?.addresses?.ipv4Pool) }
    /// What it has once ``hasIPv6`` says so.
    fileprivate var plan6: AddressPlan<IPv6Address>? { AddressPlan(options?.addresses?.ipv6Pool) }
}
