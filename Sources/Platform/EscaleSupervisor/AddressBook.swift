import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleGateway
import EscaleNetlink
import EscaleNetwork
import EscaleOCI
import EscaleRelease
import EscaleSystem

/// Who has which address: networks, services' virtual addresses, containers and host ports of all projects.
///
/// Turns what the projects publish into one ``NetworkState`` and has the controller make it true.
actor AddressBook {
    nonisolated let controller: any HostNetwork
    private let gateway: any HostGateway
    private let instance: NetworkInstance
    private let store: StateStore
    private var networks: [NetworkName: NetworkRecord]
    /// Addresses of containers by the time they are made, before the projects publish them.
    private var reserved: [ContainerID: [ContainerRecord.NetworkAddress]] = [:]
    private var projects: [ProjectName: Published] = [:]
    /// Their ports of the host.
    private var assigned: [ContainerID: [PortMapping]] = [:]

    /// The newest publication of each project that was seen; one that comes late says what was true before.
    private var newest: [ProjectName: Int] = [:]

    /// Who waits for the next settling.
    private var waiting: [CheckedContinuation<Void, any Error>] = []
    private var isSettling = false

    /// What a project has, as far as traffic is concerned.
    struct Published {
        var containers: [ContainerRecord]
        var services: [Service]
        var shares: [ServiceName: ReleaseShare]
        /// Services that shall run, whether or not they have a container right now.
        var expected: Set<ServiceName>
    }

    init(
        controller: any HostNetwork, gateway: any HostGateway, instance: NetworkInstance, store: StateStore,
        records: [NetworkRecord]
    ) {
        self.controller = controller
        self.gateway = gateway
        self.instance = instance
        self.store = store
        networks = Dictionary(records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Networks

    func exists(_ network: NetworkName) -> Bool { networks[network] != nil }

    /// Makes a network, with a subnet of its own where the file names none; one that exists stays as it is.
    func create(_ spec: Network, of project: ProjectName) async throws {
        if networks[spec.name] != nil { return }
        let plan = AddressPlan(spec)
        if let plan { try await checkFree(plan.subnet, for: spec.name) }
        // Another project may have made it meanwhile.
        if networks[spec.name] != nil { return }
        guard let subnet = plan?.subnet ?? instance.freeNetwork(excluding: networks.values.map(\.subnet)) else {
            throw EscaleError(
                .init("network.pool-exhausted"), "every subnet of \(instance.pool) is in use",
                hint: "take projects down that are not needed: `escale ls`")
        }
        var record = NetworkRecord(
            name: spec.name, project: project, key: spec.key, subnet: subnet, isInternal: spec.isInternal)
        record.plan = plan
        record.mtu = spec.options?.mtu
        try store.save(record)
        networks[spec.name] = record
    }

    /// Takes over what the file says of a network that exists, as far as that can change under its containers.
    ///
    /// - Throws: `network.changed` where it says other addresses.
    func revise(_ spec: Network, of project: ProjectName) throws {
        guard var record = networks[spec.name], record.project == project, !spec.isExternal else { return }
        let plan = AddressPlan(spec)
        if plan?.subnet != record.plan?.subnet {
            throw EscaleError.networkChanged(
                spec.name, from: record.subnet, to: plan.map { "\($0.subnet)" } ?? "nothing of that")
        }
        record.plan = plan
        record.mtu = spec.options?.mtu
        record.isInternal = spec.isInternal
        try store.save(record)
        networks[spec.name] = record
    }

    /// - Throws: `network.subnet-taken` where others have addresses of the subnet.
    private func checkFree(_ subnet: IPv4Subnet, for network: NetworkName) async throws {
        for other in networks.values.sorted(by: { $0.name < $1.name }) where other.subnet.overlaps(subnet) {
            throw EscaleError.subnetTaken(
                subnet, of: network, by: "network \(other.name) of project \(other.project) has \(other.subnet)")
        }
        guard !subnet.overlaps(instance.reserved), instance.pool == subnet || !subnet.contains(instance.pool) else {
            throw EscaleError.subnetTaken(subnet, of: network, by: "Escale has \(instance.reserved) for itself")
        }
        let own = [instance.pool] + networks.values.map(\.subnet)
        let others = try await blocking { try HostAddresses.blocks() }
        for other in others where other.subnet.overlaps(subnet) && !own.contains(where: { $0.contains(other.subnet) }) {
            throw EscaleError.subnetTaken(
                subnet, of: network,
                by: other.link == "lo" || other.link.hasPrefix("esc")
                    ? "\(other.subnet) is that of another Escale on this host" : "\(other.subnet) is in use on \(other.link)")
        }
    }

    func remove(_ network: NetworkName) async throws {
        try store.remove(network)
        networks[network] = nil
        try await settle()
    }

    /// Makes the host's rules and names true; with the last network goes everything that the host has of them.
    ///
    /// One at a time, so that what was true earlier never comes after what is true now; calls that come while one is
    /// under way are served together.
    func settle() async throws {
        try await withCheckedThrowingContinuation { continuation in
            waiting.append(continuation)
            guard !isSettling else { return }
            isSettling = true
            Task { await settleAll() }
        }
    }

    private func settleAll() async {
        while !waiting.isEmpty {
            let served = waiting
            waiting = []
            do {
                try await enforce()
                for continuation in served { continuation.resume() }
            } catch {
                for continuation in served { continuation.resume(throwing: error) }
            }
        }
        isSettling = false
    }

    /// The rules first: what the gateway is about to ask for has to be reachable.
    private func enforce() async throws {
        guard !networks.isEmpty || !projects.isEmpty else {
            try await gateway.tearDown()
            try await controller.tearDown()
            return
        }
        try await controller.apply(state)
        try await gateway.apply(gatewayState)
    }

    private var gatewayState: GatewayState {
        GatewayDirectory.state(projects.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, source: instance.hostAddress)
    }

    /// The ports that the gateway listens on.
    var gatewayPorts: Set<UInt16> { Set(gatewayState.listeners.map(\.port)) }

    /// How many connections each container still has: those that the kernel tracks, and the gateway's requests.
    func connections(of containers: [ContainerRecord]) async throws -> [ContainerID: Int] {
        let host = instance.hostAddress
        let tracked = try await controller.connections(leavingOutFrom: [host])
        var open = try await gateway.sessions(of: containers.map(\.id))
        for container in containers {
            open[container.id, default: 0] += container.addresses.reduce(0) { $0 + (tracked[$1.address] ?? 0) }
        }
        return open
    }

    // MARK: Addresses

    /// One address on each network, its to keep until the container is gone.
    func allocate(_ names: [NetworkName], for container: ContainerID) throws -> [ContainerRecord.NetworkAddress] {
        let addresses = try names.map { name in
            ContainerRecord.NetworkAddress(network: name, address: try record(of: name).freeAddress(excluding: taken(on: name)))
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
            let fixed = attachment.options?.ipv4Address.flatMap { IPv4Address($0) }
            let address = try fixed.map { try claim($0, on: network.name, for: service.name, of: project.name) }
                ?? record(of: network.name).freeAddress(
                    excluding: taken(on: network.name).union(project.fixedAddresses(on: network).compactMap { IPv4Address($0) }))
            addresses.append(.init(network: network.name, address: address, key: network.key, options: attachment.options))
        }
        reserved[container] = addresses
        return addresses
    }

    /// Checks that the service may have the address. A service's virtual address gives way.
    private func claim(
        _ address: IPv4Address, on name: NetworkName, for service: ServiceName, of project: ProjectName
    ) throws -> IPv4Address {
        var record = try record(of: name)
        try record.check(address, for: service)
        if let holder = holder(of: address) {
            throw EscaleError.addressTaken(address, on: name, service: service, by: holder)
        }
        if let other = record.services.first(where: { $0.value == address })?.key {
            record.services[other] = nil
            try store.save(record)
            networks[name] = record
        }
        return address
    }

    /// The container that has an address.
    private func holder(of address: IPv4Address) -> String? {
        let known = projects.values.lazy.flatMap(\.containers).first { $0.addresses.contains { $0.address == address } }
        if let known { return "container \(known.name) of project \(known.project)" }
        let isReserved = reserved.values.contains { $0.contains { $0.address == address } }
        return isReserved ? "a container that is being made" : nil
    }

    private func record(of name: NetworkName) throws -> NetworkRecord {
        guard let network = networks[name] else { throw EscaleError.externalMissing("network", name) }
        return network
    }

    /// The service's virtual address on a network: given once, kept as long as the network.
    private func virtualAddress(of service: ServiceName, project: ProjectName, on network: NetworkName) throws
        -> IPv4Address
    {
        // Services of several projects meet on an external network; the owner's keep their plain names.
        let key = networks[network]?.project == project ? service : ServiceName(rawValue: "\(project)/\(service)")
        if let address = networks[network]?.services[key] { return address }
        var record = try record(of: network)
        let fixed = projects.values.flatMap(\.services).flatMap(\.networks).compactMap { $0.options?.ipv4Address }
        let address = try record.freeVirtualAddress(
            excluding: taken(on: network).union(fixed.compactMap { IPv4Address($0) }))
        record.services[key] = address
        try store.save(record)
        networks[network] = record
        return address
    }

    /// The addresses that services and containers have.
    private func taken(on network: NetworkName) -> Set<IPv4Address> {
        var taken = Set(networks[network]?.services.values.map(\.self) ?? [])
        for addresses in reserved.values { taken.formUnion(addresses.map(\.address)) }
        for project in projects.values {
            for container in project.containers { taken.formUnion(container.addresses.map(\.address)) }
        }
        return taken
    }

    // MARK: Ports

    /// The container's ports, with a free host port of its own where the file names none or several to choose from.
    ///
    /// - Throws: `port.range-taken` where none of those is free.
    func assign(_ ports: [PortMapping], to container: ContainerID, of service: ServiceName) throws -> [PortMapping] {
        var known = publishedPorts.map(\.port) + assigned.values.joined()
        let ports = try ports.filter { !$0.isOfIPv6 }.map { port in
            var port = port
            let choice: ClosedRange<UInt16>? =
                if let first = port.hostPort { port.lastHostPort.map { first...$0 } } else { 32768...60999 }
            if let choice {
                port.lastHostPort = nil
                port.hostPort = choice.first { number in
                    port.hostPort = number
                    return !known.contains { $0.collides(with: port) } && controller.listener(on: port) == nil
                }
                if port.hostPort == nil { throw EscaleError.portsTaken(choice, port.transport, service: service) }
            }
            known.append(port)
            return port
        }
        assigned[container] = ports
        return ports
    }

    /// Who holds a host port among all projects' containers.
    func holder(of port: PortMapping, otherThan project: ProjectName) -> String? {
        publishedPorts.first { $0.container.project != project && $0.port.collides(with: port) }
            .map { "container \($0.container.name) of project \($0.container.project)" }
    }

    private var publishedPorts: [(container: ContainerRecord, port: PortMapping)] {
        projects.values.flatMap { $0.containers.flatMap { container in container.ports.map { (container, $0) } } }
    }

    // MARK: Containers

    /// Replaces what is known of a project, and returns once the host's rules and names say so.
    ///
    /// - Parameter number: grows with every publication of the project, in the order in which they were true.
    func publish(
        _ project: ProjectName, number: Int, containers: [ContainerRecord], services: [Service],
        shares: [ServiceName: ReleaseShare], expected: Set<ServiceName> = []
    ) async throws {
        // Overtaken by a newer one: what that says is waited for, it may not be in force yet.
        guard number > newest[project, default: 0] else { return try await settle() }
        newest[project] = number
        for container in containers {
            reserved[container.id] = nil
            assigned[container.id] = nil
        }
        projects[project] =
            containers.isEmpty && expected.isEmpty
            ? nil : Published(containers: containers, services: services, shares: shares, expected: expected)
        for container in containers {
            for address in container.addresses {
                _ = try virtualAddress(of: container.replica.service, project: project, on: address.network)
            }
        }
        try await settle()
    }

    /// Connects a container that was made and doesn't run yet.
    func attach(_ container: ContainerRecord, pid: Int32) async throws {
        if container.addresses.isEmpty { return }
        let current = state
        try await controller.attach(
            endpoint(container),
            networks: current.networks, pid: pid)
    }

    /// `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` for the container.
    func files(for container: ContainerRecord) async throws -> [String: String] {
        let hostname = container.blueprint.spec.hostname
        let names = container.names ?? ServiceNames()
        return [
            "/etc/hosts": NameFiles.hosts(
                hostname: names.domain.map { "\(hostname).\($0)" } ?? hostname,
                address: container.addresses.first?.address, extra: hosts(names.extraHosts)),
            "/etc/hostname": hostname + "\n",
            "/etc/resolv.conf": try await resolvConf(container, names),
        ]
    }

    /// A container without networks has the host's servers or nobody to ask, unless it names some.
    private func resolvConf(_ container: ContainerRecord, _ names: ServiceNames) async throws -> String {
        var servers = names.servers
        if !container.addresses.isEmpty {
            servers = ["\(try await controller.resolver(for: endpoint(container).scope))"]
        } else if container.blueprint.spec.namespaces?[.network] == .host, servers.isEmpty {
            return try await blocking { try Files.readText("/etc/resolv.conf") }
        }
        return NameFiles.resolvConf(
            servers: servers, search: names.searchDomains.filter { $0 != "." }, options: names.resolverOptions)
    }

    /// The container of that name or identifier, of whichever project.
    func container(named name: String) -> ContainerRecord? {
        let all = projects.values.flatMap(\.containers)
        return all.first { $0.name == name } ?? all.first { name.count >= 12 && $0.id.rawValue.hasPrefix(name) }
    }

    /// Entries of `/etc/hosts`; `host-gateway` stands for an address by which containers reach this host.
    private func hosts(_ entries: [HostEntry]) -> [(name: String, address: String)] {
        entries.flatMap { entry in
            entry.addresses.map { (entry.name, $0 == "host-gateway" ? "\(instance.hostAddress)" : $0) }
        }
    }

    /// Watches over the host's rules; until the task is cancelled.
    func guardRules() async throws { try await controller.guardRules() }

    func firewallWarning() async throws -> String? { try await controller.firewallWarning() }

    /// Puts right what somebody else took away, such as a host firewall that was loaded anew.
    func repair() async throws -> Bool {
        let network = try await controller.verify()
        let gateway = try await gateway.verify()
        return network || gateway
    }

    // MARK: The state

    private var state: NetworkState {
        var state = NetworkState(
            networks: networks.values.sorted { $0.name < $1.name }
                .map(\.attached))
        var ports: [PortKey: [PublishedPort.Backend]] = [:]
        for (project, published) in projects.sorted(by: { $0.key < $1.key }) {
            let containers = published.containers.sorted { ($0.replica, $0.id) < ($1.replica, $1.id) }
            state.endpoints += containers.map { endpoint($0) }
            for (service, replicas) in Dictionary(grouping: containers.filter(\.servesService), by: \.replica.service).sorted(by: { $0.key < $1.key }) {
                let spec = published.services.first { $0.name == service }
                let share = published.shares[service]
                let weights = TrafficShare.weights(
                    replicas.map { $0.candidate(newGeneration: share?.newGeneration) }, newShare: share?.percent, waits: false)
                state.services += virtualServices(service, project, replicas, spec, weights)
                for (port, backends) in Self.ports(replicas, spec, share, weights) { ports[port, default: []] += backends }
            }
            // Ports of a container that a command runs in are its own.
            for single in containers where !single.servesService && single.processes != nil {
                for (port, backends) in Self.ports([single], nil, nil, [single.id: 1]) { ports[port, default: []] += backends }
            }
        }
        state.ports = ports.sorted { $0.key < $1.key }.map { key, backends in
            PublishedPort(
                hostAddress: key.address.flatMap(IPv4Address.init), hostPort: key.port, transport: key.transport,
                backends: backends)
        }
        return state
    }

    private func endpoint(_ container: ContainerRecord) -> Endpoint {
        let addresses = container.addresses
        var endpoint = Endpoint(
            container: container.id,
            addresses: addresses.map {
                .init(network: $0.network, address: $0.address, names: [container.name, container.id.short])
            },
            servers: container.names?.servers ?? [])
        let options = addresses.first?.options
        endpoint.mac = (options?.macAddress ?? container.names?.macAddress).flatMap { MACAddress($0) }
        if let name = options?.interfaceName { endpoint.interface = name }
        let open = addresses.filter { networks[$0.network]?.isInternal == false }
        // Of equals the first.
        endpoint.way = open.max { ($0.options?.gatewayPriority ?? 0) < ($1.options?.gatewayPriority ?? 0) }?.network
        return endpoint
    }

    private func virtualServices(
        _ service: ServiceName, _ project: ProjectName, _ replicas: [ContainerRecord], _ spec: Service?,
        _ weights: [ContainerID: Int]
    ) -> [VirtualService] {
        Set(replicas.flatMap { $0.addresses.map(\.network) }).sorted().compactMap { network -> VirtualService? in
            guard let record = networks[network] else { return nil }
            let key = record.project == project ? service : ServiceName(rawValue: "\(project)/\(service)")
            guard let address = record.services[key] else { return nil }
            let places = replicas.lazy.flatMap(\.addresses)
            let place = places.first { $0.network == network }?.key ?? record.key
            let aliases = spec?.networks.first { $0.network == place }?.aliases ?? []
            return VirtualService(
                network: network, address: address, names: [service.rawValue] + aliases,
                answersWithReplicas: spec?.deploy?.endpointMode == .dnsrr,
                backends: replicas.compactMap { container in
                    guard let weight = weights[container.id],
                        let address = container.addresses.first(where: { $0.network == network })?.address
                    else { return nil }
                    return ServiceBackend(address: address, weight: weight)
                })
        }
    }

    private struct PortKey: Hashable, Comparable {
        let address: String?
        let port: UInt16
        let transport: PublishedPort.Transport

        static func < (left: Self, right: Self) -> Bool {
            (left.port, left.transport.rawValue, left.address ?? "")
                < (right.port, right.transport.rawValue, right.address ?? "")
        }
    }

    /// The host's ports that lead straight to containers: those that the gateway doesn't serve.
    private static func ports(
        _ replicas: [ContainerRecord], _ spec: Service?, _ share: ReleaseShare?, _ weights: [ContainerID: Int]
    ) -> [PortKey: [PublishedPort.Backend]] {
        let served = Set((replicas.flatMap(\.ports) + (spec?.ports ?? [])).compactMap { $0.applicationProtocol == nil ? nil : $0.hostPort })
        var ports: [PortKey: [PublishedPort.Backend]] = [:]
        for container in replicas {
            guard let address = container.addresses.first?.address else { continue }
            for port in container.ports {
                guard let hostPort = port.hostPort, !(port.transport == .tcp && served.contains(hostPort)), !port.isOfIPv6 else {
                    continue
                }
                let key = PortKey(
                    address: port.ownAddress, port: hostPort,
                    transport: PublishedPort.Transport(port.transport))
                let backend = weights[container.id].map {
                    PublishedPort.Backend(address: address, port: port.containerPort, weight: $0)
                }
                ports[key, default: []] += [backend].compactMap { $0 }
            }
            if let (key, backend) = preview(container, spec, share, address) { ports[key, default: []] += [backend].compactMap { $0 } }
        }
        return ports
    }

    /// The port at which the new version alone can be looked at, where the gateway has nothing to do with the service.
    private static func preview(
        _ container: ContainerRecord, _ spec: Service?, _ share: ReleaseShare?, _ address: IPv4Address
    ) -> (PortKey, PublishedPort.Backend?)? {
        guard let spec, let port = spec.release.preview?.port, spec.http == nil,
            !spec.ports.contains(where: { $0.applicationProtocol != nil }),
            let target = container.ports.first(where: { $0.transport == .tcp })?.containerPort
        else { return nil }
        let isShown = container.replica.generation == share?.newGeneration && container.isReady
        return (
            PortKey(address: "127.0.0.1", port: port, transport: .tcp),
            isShown ? PublishedPort.Backend(address: address, port: target) : nil
        )
    }
}

extension PublishedPort.Transport {
    fileprivate init(_ transport: PortMapping.Transport) {
        switch transport {
        case .tcp: self = .tcp
        case .udp: self = .udp
        }
    }
}
