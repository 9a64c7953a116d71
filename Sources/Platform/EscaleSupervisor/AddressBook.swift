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
    let instance: NetworkInstance
    let store: StateStore
    var networks: [NetworkName: NetworkRecord]
    /// Networks that exist and whose records can't be read: nothing can be done with them.
    var unreadable: [NetworkName: UnreadableRecord]
    /// Addresses of containers by the time they are made, before the projects publish them.
    var reserved: [ContainerID: [ContainerRecord.NetworkAddress]] = [:]
    var projects: [ProjectName: Published] = [:]
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
        /// Services that somebody else runs, and what they are called on which network.
        var outside: [ServiceName: [OutsideService]]
    }

    init(
        controller: any HostNetwork, gateway: any HostGateway, instance: NetworkInstance, store: StateStore,
        stored: StoredRecords<NetworkRecord>
    ) {
        self.controller = controller
        self.gateway = gateway
        self.instance = instance
        self.store = store
        networks = Dictionary(stored.records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        unreadable = Dictionary(
            stored.unreadable.map { (NetworkName(rawValue: $0.name), $0) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Networks

    func exists(_ network: NetworkName) -> Bool { networks[network] != nil || unreadable[network] != nil }

    /// Takes up networks whose records can be read by now.
    func read(_ records: [NetworkRecord]) {
        for record in records where unreadable.removeValue(forKey: record.name) != nil { networks[record.name] = record }
    }

    /// That the network is no more, of which nothing was known.
    func giveUp(_ network: NetworkName) { unreadable[network] = nil }

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
            open[container.id, default: 0] += container.addresses.reduce(0) { sum, own in
                sum + (tracked.ipv4[own.address] ?? 0) + (own.ipv6.flatMap { tracked.ipv6[$0] } ?? 0)
            }
        }
        return open
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
        shares: [ServiceName: ReleaseShare], expected: Set<ServiceName> = [],
        outside: [ServiceName: [OutsideService]] = [:]
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
            ? nil : Published(
                containers: containers, services: services, shares: shares, expected: expected, outside: outside)
        for container in containers {
            // On one whose record can't be read, services have none.
            for address in container.addresses where networks[address.network] != nil {
                try giveVirtualAddresses(to: container.replica.service, project: project, on: address)
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

    /// The networks that the container is on.
    func places(of container: ContainerRecord) -> [AttachedNetwork] {
        container.addresses.compactMap { networks[$0.network]?.attached }
    }

    /// `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` for the container.
    func files(for container: ContainerRecord) async throws -> [String: String] {
        let hostname = container.blueprint.spec.hostname
        let names = container.names ?? ServiceNames()
        return [
            "/etc/hosts": NameFiles.hosts(
                hostname: names.domain.map { "\(hostname).\($0)" } ?? hostname,
                address: container.addresses.first?.address, ipv6: container.addresses.lazy.compactMap(\.ipv6).first,
                extra: hosts(names.extraHosts)),
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
            state.outside += published.outside.sorted { $0.key < $1.key }.flatMap(\.value)
            let serving = containers.filter { $0.servesService && published.outside[$0.replica.service] == nil }
            for (service, replicas) in Dictionary(grouping: serving, by: \.replica.service).sorted(by: { $0.key < $1.key }) {
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
                .init(network: $0.network, address: $0.address, ipv6: $0.ipv6, names: [container.name, container.id.short])
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
            let hasIPv6 = places.contains { $0.network == network && $0.ipv6 != nil }
            return VirtualService(
                network: network, address: address, ipv6: hasIPv6 ? record.ipv6?.services[key] : nil,
                names: [service.rawValue] + aliases,
                answersWithReplicas: spec?.deploy?.endpointMode == .dnsrr,
                backends: replicas.compactMap { container in
                    guard let weight = weights[container.id],
                        let own = container.addresses.first(where: { $0.network == network })
                    else { return nil }
                    return ServiceBackend(address: own.address, ipv6: own.ipv6, weight: weight)
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

extension Project {
    /// The services that somebody else runs, as names on the host's networks.
    var outside: [ServiceName: [OutsideService]] {
        let pairs = elsewhere.map { external in
            let places = (external.networks ?? []).compactMap { attachment in
                networks.first { $0.key == attachment.network }.map { network in
                    OutsideService(
                        network: network.name, names: [external.service.rawValue] + attachment.aliases, host: external.host)
                }
            }
            return (external.service, places)
        }
        return Dictionary(pairs, uniquingKeysWith: +)
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
