import EscaleCore

/// Requests that would belong to two services, and host ports that would have two uses.
extension Validation {
    func checkGateway() {
        checkRoutes()
        checkGatewayPorts()
    }

    /// What the gateway is to do for the service, unless that was misread.
    private func readable(_ service: Service) -> HTTPSettings? {
        place(.attribute("x-escale.http", of: service.name.rawValue)) == nil ? nil : service.http
    }

    // MARK: Routes

    private struct Route: Hashable {
        /// Empty for any.
        let host: String
        let path: String
        let port: UInt16

        var spoken: String { "\(host.isEmpty ? "any host" : host), path \(path), port \(port)" }
    }

    private func routes(of http: HTTPSettings, hosts: [String]) -> [Route] {
        let ports = [http.port] + (http.tls == nil ? [] : [http.tlsPort])
        return (hosts.isEmpty ? [""] : hosts).flatMap { host in
            ports.map { Route(host: host, path: http.path, port: $0) }
        }
    }

    private func checkRoutes() {
        var owners: [Route: ServiceName] = [:]
        for published in context.publishedPorts where published.mapping.applicationProtocol != nil {
            owners[Route(host: "", path: "/", port: published.port)] = published.service
        }
        for service in project.services {
            guard let http = readable(service) else { continue }
            let own = routes(of: http, hosts: http.hosts)
            if let (route, owner) = claim(own, for: service, in: &owners) {
                context.error(
                    "compose.http.conflict",
                    "services.\(service.name) and services.\(owner) are both to be served at \(route.spoken)",
                    at: position("x-escale.http", of: service),
                    hint: "give one of them another `host`, `path` or `port` under x-escale.http"
                )
            }
            guard let host = service.release.preview?.host else { continue }
            let previews = routes(of: http, hosts: [host])
            let isOwn = previews.contains(where: own.contains)
            guard let owner = isOwn ? service.name : claim(previews, for: service, in: &owners)?.owner else {
                continue
            }
            context.error(
                "compose.http.conflict",
                "services.\(service.name): the preview's host \(host) is served by services.\(owner) already",
                at: position("x-escale.release.preview.host", of: service),
                hint: "choose a name of its own, such as next.\(host)"
            )
        }
    }

    /// Notes the routes as the service's; the first that another one has, if any.
    private func claim(
        _ routes: [Route],
        for service: Service,
        in owners: inout [Route: ServiceName]
    ) -> (route: Route, owner: ServiceName)? {
        var taken: (Route, ServiceName)?
        for route in routes {
            if let owner = owners[route], owner != service.name, taken == nil { taken = (route, owner) }
            owners[route] = service.name
        }
        return taken
    }

    // MARK: Ports

    /// What a host port is for. Only the gateway's two can serve several services.
    private enum PortUse: Hashable {
        case tcp, http, tls, preview

        var spoken: String {
            switch self {
            case .tcp: "plain TCP"
            case .http: "HTTP"
            case .tls: "TLS"
            case .preview: "its preview"
            }
        }

        var isShared: Bool {
            switch self {
            case .http, .tls: true
            case .tcp, .preview: false
            }
        }
    }

    private func checkGatewayPorts() {
        var uses: [UInt16: (use: PortUse, service: ServiceName)] = [:]
        for published in context.publishedPorts where published.mapping.transport == .tcp {
            let use: PortUse =
                switch published.mapping.applicationProtocol {
                case nil: .tcp
                case .http, .http2, .grpc: .http
                case .https: .tls
                }
            uses[published.port] = (use, published.service)
        }
        func take(_ port: UInt16, _ use: PortUse, _ attribute: String, for service: Service) {
            guard let other = uses[port] else {
                uses[port] = (use, service.name)
                return
            }
            guard other.use != use || !use.isShared else { return }
            let isOwn = other.service == service.name
            let isNeedless = isOwn && other.use == .tcp && use.isShared
            context.error(
                "compose.http.port",
                "services.\(service.name).\(attribute) needs host port \(port) for \(use.spoken), but \(isOwn ? "the service itself" : "services.\(other.service)") uses it for \(other.use.spoken)",
                at: position(attribute, of: service),
                hint: isNeedless
                    ? "remove \(port) from `ports`, since the gateway serves it; or choose another port for one of the two"
                    : "choose another port for one of the two"
            )
        }
        for service in project.services {
            if let http = readable(service) {
                take(http.port, .http, "x-escale.http", for: service)
                if http.tls != nil { take(http.tlsPort, .tls, "x-escale.http", for: service) }
            }
        }
        for service in project.services {
            guard let port = service.release.preview?.port else { continue }
            take(port, .preview, "x-escale.release.preview.port", for: service)
        }
    }
}
