import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleNetlink
import EscaleRelease

/// What the gateway shall serve, from what the projects publish. Pure.
struct GatewayDirectory {
    private struct Place: Hashable {
        let address: IPv4Address?
        let port: UInt16
    }

    private var listeners: [Place: GatewayListener] = [:]
    private var backends: [BackendName: GatewayBackend] = [:]

    /// - Parameter projects: in an order that is always the same.
    static func state(
        _ projects: [(name: ProjectName, published: AddressBook.Published)], source: IPv4Address
    ) -> GatewayState {
        var directory = Self()
        for (name, published) in projects {
            for service in published.services {
                let containers = published.containers.filter { $0.servesService && $0.replica.service == service.name }
                // Between the last replica of one version and the first of the next the port stays, and requests wait.
                guard !containers.isEmpty || published.expected.contains(service.name) else { continue }
                directory.add(service, name, containers, published.shares[service.name])
            }
        }
        return GatewayState(
            listeners: directory.listeners.sorted { ($0.key.port, $0.key.address?.rawValue ?? 0) < ($1.key.port, $1.key.address?.rawValue ?? 0) }
                .map(\.value),
            backends: directory.backends.sorted { $0.key < $1.key }.map(\.value), source: source)
    }

    private mutating func add(
        _ service: Service, _ project: ProjectName, _ containers: [ContainerRecord], _ share: ReleaseShare?
    ) {
        let settings = service.http ?? HTTPSettings()
        for port in service.ports {
            guard let application = port.applicationProtocol, port.transport == .tcp, !port.isOfIPv6 else { continue }
            let assigned = containers.lazy.compactMap { $0.ports.first { $0.containerPort == port.containerPort }?.hostPort }
            guard let hostPort = port.hostPort ?? assigned.first else { continue }
            let name = BackendName(project: project, service: service.name, port: port.containerPort)
            backends[name] = backend(name, service, settings, application, containers, share) { container in
                container.ports.first { $0.hostPort == hostPort }?.containerPort
            }
            let address = port.hostAddress.flatMap { $0 == "0.0.0.0" ? nil : IPv4Address($0) }
            let security: GatewayListener.Security =
                switch (application, settings.tls) {
                case (.https, let certificate?): .tls([certificate])
                case (.https, nil): .passthrough
                case (.http, _), (.http2, _), (.grpc, _): .plain
                }
            route(Place(address: address, port: hostPort), security, settings, [.init(target: .backend(name, versions: .all))])
        }
        if let http = service.http { add(http, service, project, containers, share) }
        preview(service, project)
    }

    /// `x-escale.http`: by host name and path, at ports that services and projects share.
    private mutating func add(
        _ http: HTTPSettings, _ service: Service, _ project: ProjectName, _ containers: [ContainerRecord],
        _ share: ReleaseShare?
    ) {
        guard let port = http.containerPort else { return }
        let name = BackendName(project: project, service: service.name, port: port)
        let application = service.ports.first { $0.containerPort == port }?.applicationProtocol ?? .http
        backends[name] = backend(name, service, http, application, containers, share) { $0.httpPort }
        let route = GatewayRoute(hosts: http.hosts, path: http.path, target: .backend(name, versions: .all))
        var routes = [route]
        if let host = service.release.preview?.host {
            routes.append(GatewayRoute(hosts: [host], path: http.path, target: .backend(name, versions: .newOnly)))
        }
        let address = http.address.flatMap(IPv4Address.init)
        guard let tls = http.tls else {
            return self.route(Place(address: address, port: http.port), .plain, http, routes)
        }
        self.route(Place(address: address, port: http.tlsPort), .tls([tls]), http, routes)
        let redirects = routes.map { GatewayRoute(hosts: $0.hosts, path: $0.path, target: .redirectToTLS(http.tlsPort)) }
        self.route(Place(address: address, port: http.port), .plain, http, http.redirectsToTLS ? redirects : routes)
    }

    /// The new version alone at a port of the host's own.
    private mutating func preview(_ service: Service, _ project: ProjectName) {
        guard let port = service.release.preview?.port,
            let name = backends.keys.filter({ $0.belongs(to: service.name, of: project) }).min()
        else { return }
        route(
            Place(address: IPv4Address("127.0.0.1"), port: port), .plain, service.http ?? HTTPSettings(),
            [.init(target: .backend(name, versions: .newOnly))])
    }

    private mutating func route(
        _ place: Place, _ security: GatewayListener.Security, _ settings: HTTPSettings, _ routes: [GatewayRoute]
    ) {
        var listener =
            listeners[place]
            ?? GatewayListener(
                hostAddress: place.address, port: place.port, security: security,
                acceptsProxyProtocol: settings.acceptsProxyProtocol, routes: [])
        if case .tls(let former) = listener.security, case .tls(let more) = security {
            listener.security = .tls(former + more.filter { !former.contains($0) })
        }
        listener.routes += routes.filter { !listener.routes.contains($0) }
        listeners[place] = listener
    }

    private func backend(
        _ name: BackendName, _ service: Service, _ settings: HTTPSettings, _ application: ApplicationProtocol,
        _ containers: [ContainerRecord], _ share: ReleaseShare?, port: (ContainerRecord) -> UInt16?
    ) -> GatewayBackend {
        let takers = TrafficShare.weights(
            containers.map { $0.candidate(newGeneration: share?.newGeneration) }, newShare: nil, waits: true)
        return GatewayBackend(
            name: name, settings: settings, applicationProtocol: application,
            hasVersions: share != nil || service.release.strategy != .rolling,
            overrideHeader: service.release.overrideHeader, overrideCookie: service.release.overrideCookie,
            isSticky: service.release.isSticky, newShare: share?.percent,
            servers: containers.sorted { $0.id < $1.id }.compactMap { container in
                guard container.processes != nil, let address = container.addresses.first?.address,
                    let port = port(container)
                else { return nil }
                return GatewayServer(
                    container: container.id, address: address, port: port, generation: container.replica.generation,
                    isNew: container.replica.generation == share?.newGeneration, isTaking: takers[container.id] != nil)
            })
    }
}

extension BackendName {
    fileprivate func belongs(to service: ServiceName, of project: ProjectName) -> Bool {
        rawValue.hasPrefix("\(project)/\(service)/")
    }
}
