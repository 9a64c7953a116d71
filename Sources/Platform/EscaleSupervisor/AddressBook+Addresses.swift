import EscaleCompose
import EscaleCore
import EscaleNetlink
import EscaleNetwork

/// Which addresses containers and services get.
extension AddressBook {
    /// One address of each kind on each network, its to keep until the container is gone.
    func allocate(_ names: [NetworkName], for container: ContainerID) throws -> [ContainerRecord.NetworkAddress] {
        let addresses = try names.map { name in
            ContainerRecord.NetworkAddress(
                network: name, address: try address(.ipv4, on: record(of: name)), ipv6: try freeIPv6(on: record(of: name)))
        }
        reserved[container] = addresses
        return addresses
    }

    /// The same for a service's container: on the networks that its file names, in their order, with what it says of them.
    func allocate(
        _ service: Service, of project: Project, for container: ContainerID
    ) throws -> [ContainerRecord.NetworkAddress] {
        var addresses: [ContainerRecord.NetworkAddress] = []
        for attachment in service.orderedNetworks {
            guard let network = project.networks.first(where: { $0.key == attachment.network }) else { continue }
            let options = attachment.options
            let place = Place(network: network, service: service.name, project: project)
            let address = try claimed(.ipv4, options, at: place)
                ?? address(.ipv4, on: record(of: network.name), besides: place)
            let ipv6 = try claimed(.ipv6, options, at: place) ?? freeIPv6(on: record(of: network.name), besides: place)
            addresses.append(
                .init(network: network.name, address: address, ipv6: ipv6, key: network.key, options: options))
        }
        reserved[container] = addresses
        return addresses
    }

    /// A service's place on a network of its project.
    private struct Place {
        let network: Network
        let service: ServiceName
        let project: Project
    }

    private func freeIPv6(on record: NetworkRecord, besides place: Place? = nil) throws -> IPv6Address? {
        try record.ipv6 == nil ? nil : address(.ipv6, on: record, besides: place)
    }

    /// A free one that no other service of the project has by the file.
    private func address<Address: IPAddress>(
        _ kind: AddressKind<Address>, on record: NetworkRecord, besides place: Place? = nil
    ) throws -> Address {
        guard let block = record[keyPath: kind.block] else { throw EscaleError.networkFull(record.name, "nothing") }
        let fixed = place.map { $0.project.fixedAddresses(on: $0.network, kind.fixed) } ?? []
        return try block.freeAddress(
            excluding: taken(kind, on: record.name).union(fixed.compactMap { Address($0) }), on: record.name)
    }

    /// The address that the file names, if it does, and if the service may have it. A service's virtual address gives way.
    private func claimed<Address: IPAddress>(
        _ kind: AddressKind<Address>, _ options: AttachmentOptions?, at place: Place
    ) throws -> Address? {
        guard let text = options?[keyPath: kind.fixed], let address = Address(text) else { return nil }
        let name = place.network.name
        var record = try record(of: name)
        guard let block = record[keyPath: kind.block] else { throw EscaleError.networkWithoutIPv6(name, place.service, text) }
        try block.check(address, for: place.service, on: name)
        if let holder = holder(of: address, kind) {
            throw EscaleError.addressTaken("\(address)", on: name, service: place.service, by: holder)
        }
        if let other = block.services.first(where: { $0.value == address })?.key {
            record[keyPath: kind.block]?.services[other] = nil
            try store.save(record)
            networks[name] = record
        }
        return address
    }

    /// The container that has an address.
    private func holder<Address: IPAddress>(of address: Address, _ kind: AddressKind<Address>) -> String? {
        let known = projects.values.lazy.flatMap(\.containers).first { container in
            container.addresses.contains { $0[keyPath: kind.own] == address }
        }
        if let known { return "container \(known.name) of project \(known.project)" }
        let isReserved = reserved.values.contains { $0.contains { $0[keyPath: kind.own] == address } }
        return isReserved ? "a container that is being made" : nil
    }

    private func record(of name: NetworkName) throws -> NetworkRecord {
        if let record = unreadable[name] { throw EscaleError.recordUnreadable(record) }
        guard let network = networks[name] else { throw EscaleError.externalMissing("network", name) }
        return network
    }

    /// The service's virtual addresses where it has a container: given once, kept as long as the network.
    func giveVirtualAddresses(
        to service: ServiceName, project: ProjectName, on place: ContainerRecord.NetworkAddress
    ) throws {
        let before = try record(of: place.network)
        var record = before
        // Services of several projects meet on an external network; the owner's keep their plain names.
        let key = record.project == project ? service : ServiceName(rawValue: "\(project)/\(service)")
        try giveVirtualAddress(to: key, &record, .ipv4)
        if place.ipv6 != nil { try giveVirtualAddress(to: key, &record, .ipv6) }
        guard record.services != before.services || record.ipv6 != before.ipv6 else { return }
        try store.save(record)
        networks[place.network] = record
    }

    private func giveVirtualAddress<Address: IPAddress>(
        to key: ServiceName, _ record: inout NetworkRecord, _ kind: AddressKind<Address>
    ) throws {
        guard let block = record[keyPath: kind.block], block.services[key] == nil else { return }
        let fixed = projects.values.flatMap(\.services).flatMap(\.networks).compactMap { $0.options?[keyPath: kind.fixed] }
        let free = try block.freeVirtualAddress(
            excluding: taken(kind, on: record.name).union(fixed.compactMap { Address($0) }), on: record.name)
        record[keyPath: kind.block]?.services[key] = free
    }

    /// The addresses that services and containers have.
    private func taken<Address: IPAddress>(_ kind: AddressKind<Address>, on network: NetworkName) -> Set<Address> {
        var taken = Set((networks[network]?[keyPath: kind.block]?.services ?? [:]).values)
        for addresses in reserved.values { taken.formUnion(addresses.compactMap { $0[keyPath: kind.own] }) }
        for project in projects.values {
            for container in project.containers { taken.formUnion(container.addresses.compactMap { $0[keyPath: kind.own] }) }
        }
        return taken
    }
}
