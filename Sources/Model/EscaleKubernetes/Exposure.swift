import EscaleCompose
import EscaleCore
import EscaleYAML

/// How services find one another, and how they are reached from outside.
extension KubernetesMapping {
    /// A port of a service's pods.
    struct PodPort: Hashable {
        var name: String
        var number: UInt16
        var isUDP: Bool
        /// Of the node: `mode: host`.
        var hostPort: UInt16?
        var speaks: ApplicationProtocol?

        var transport: String { isUDP ? "UDP" : "TCP" }
    }

    /// What the file publishes and exposes, what its probes ask, and what the image exposes.
    func ports(of service: Service) -> [PodPort] {
        var ports: [PodPort] = []
        func add(_ number: UInt16, _ isUDP: Bool, _ mapping: PortMapping? = nil) {
            if let index = ports.firstIndex(where: { $0.number == number && $0.isUDP == isUDP }) {
                ports[index].speaks = ports[index].speaks ?? mapping?.applicationProtocol
                return
            }
            var port = PodPort(name: "\(isUDP ? "udp" : "tcp")-\(number)", number: number, isUDP: isUDP)
            port.speaks = mapping?.applicationProtocol
            port.hostPort = mapping?.isOfHost == true ? mapping?.hostPort : nil
            ports.append(port)
        }
        for mapping in service.ports { add(mapping.containerPort, mapping.transport == .udp, mapping) }
        for text in service.exposed ?? [] {
            for port in Self.range(text) { add(port.number, port.isUDP) }
        }
        if let http = service.http?.containerPort { add(http, false) }
        if let probe = service.probe { add(probe.port, false) }
        for port in images[service.imageName(in: project.name)]?.ports.sorted() ?? [] { add(port.number, port.isUDP) }
        if let http = httpPort(of: service), let index = ports.firstIndex(where: { $0.number == http && !$0.isUDP }) {
            ports[index].name = "http"
            ports[index].speaks = ports[index].speaks ?? .http
        }
        return ports
    }

    /// `8080`, `8080-8082/udp`.
    private static func range(_ text: String) -> [ImageFacts.Port] {
        let parts = text.split(separator: "/")
        let ends = (parts.first ?? "").split(separator: "-").compactMap { UInt16($0) }
        guard let first = ends.first, let last = ends.last, first <= last else { return [] }
        return (first...last).map { .init(number: $0, isUDP: parts.last == "udp") }
    }

    /// The port that speaks HTTP with the outside, where there is one.
    func httpPort(of service: Service) -> UInt16? {
        if let http = service.http {
            return http.containerPort ?? service.ports.first { $0.transport == .tcp }?.containerPort
                ?? service.exposed?.lazy.flatMap(Self.range).first?.number
        }
        return service.ports.first { $0.applicationProtocol != nil }?.containerPort
    }

    // MARK: Objects

    /// The Service by the service's own name, those by its other names, the one that is waited for, and what leads in.
    mutating func serviceObjects(of service: Service) -> [KubernetesObject] {
        switch kind(of: service) {
        case .job, .cronJob: return []
        case .deployment, .statefulSet, .daemonSet, .rollout: break
        }
        let name = names.service(service.name)
        if Self.isHost(service.namespaces?.network) {
            note(.approximated, service, "network_mode", "others reach it by the addresses of its nodes, through the Service \(name)")
        }
        var objects = [serviceObject(name, of: service)]
        if name != service.name.rawValue {
            note(
                .approximated, at: ["services", service.name.rawValue],
                "its name in the cluster is \(name): \"\(service.name)\" can't be one, so that whoever connects to it has to use the other")
        }
        for alias in otherNames(of: service) { objects.append(serviceObject(alias, of: service)) }
        if awaited.contains(service.name) {
            objects.append(
                KubernetesObject(
                    "v1", "Service", readyName(service.name),
                    ["spec": .object(["clusterIP": "None", "selector": .texts(names.selector(service.name))])]))
        }
        if let published = publishedObject(of: service) { objects.append(published) }
        objects += routes(of: service)
        for index in objects.indices { objects[index].service = name }
        return objects
    }

    private func serviceObject(_ name: String, of service: Service) -> KubernetesObject {
        let ports = self.ports(of: service).map { port in
            YAMLValue.object([
                "name": .string(port.name), "port": .number(Int(port.number)), "targetPort": .number(Int(port.number)),
                "protocol": .string(port.transport), "appProtocol": Self.spoken(port.speaks),
            ])
        }
        // Without a known port, names lead to the pods themselves, where every port is open as with Compose.
        let isHeadless = ports.isEmpty || service.deploy?.endpointMode == .dnsrr
        return KubernetesObject(
            "v1", "Service", name,
            [
                "spec": .object([
                    "clusterIP": isHeadless ? "None" : nil,
                    "selector": .texts(names.selector(service.name)),
                    "ports": YAMLValue.list(ports).unlessEmpty,
                ])
            ])
    }

    private static func spoken(_ speaks: ApplicationProtocol?) -> YAMLValue? {
        switch speaks {
        case .http: "http"
        case .https: "https"
        case .http2, .grpc: "kubernetes.io/h2c"
        case nil: nil
        }
    }

    /// Aliases on networks and the container's own name, as far as they can be names in the cluster.
    private mutating func otherNames(of service: Service) -> [String] {
        var found: [String] = []
        var wanted = service.networks.flatMap(\.aliases)
        if let name = service.containerName { wanted.append(name) }
        for alias in wanted where alias != service.name.rawValue {
            let label = ObjectNames.label(alias)
            guard label == alias else {
                note(.lost, service, alias == service.containerName ? "container_name" : "networks", "\"\(alias)\" can't be a name in the cluster")
                continue
            }
            guard !project.services.contains(where: { names.service($0.name) == alias }), !found.contains(alias) else { continue }
            guard aliases[alias] == nil else {
                note(.lost, service, "networks", "\"\(alias)\" leads to \(aliases[alias]?.rawValue ?? "another service") alone, which has that name too")
                continue
            }
            aliases[alias] = service.name
            found.append(alias)
        }
        return found
    }

    // MARK: From outside

    /// The ports that the file publishes, but for those that a route leads to.
    private mutating func publishedObject(of service: Service) -> KubernetesObject? {
        let http = httpPort(of: service)
        let published = service.ports.filter { port in
            guard port.isOfHost != true else { return false }
            return options.publishing != .auto || port.containerPort != http || port.transport == .udp
        }
        guard !published.isEmpty, options.publishing != .none else { return nil }
        var outside: [PortMapping] = []
        for port in published {
            switch port.hostAddress {
            case let address? where address.hasPrefix("127.") || address == "::1":
                // What only this machine shall reach is not for everybody.
                note(.approximated, service, "ports", "\(port.containerPort) is published for one machine alone: there, `kubectl port-forward` reaches it")
            case let address?:
                if address != "0.0.0.0", address != "::" {
                    note(.lost, service, "ports", "\(port.containerPort): a cluster has no address \(address)")
                }
                outside.append(port)
            case nil: outside.append(port)
            }
        }
        guard !outside.isEmpty else { return nil }
        let isNodePort = options.publishing == .nodePort
        var seen: Set<String> = []
        let ports = outside.compactMap { port -> YAMLValue? in
            let number = isNodePort ? port.containerPort : port.hostPort ?? port.containerPort
            let name = "\(port.transport.rawValue)-\(number)"
            guard seen.insert(name).inserted else { return nil }
            let nodePort = isNodePort ? port.hostPort.flatMap { (30000...32767).contains($0) ? $0 : nil } : nil
            return .object([
                "name": .string(name), "port": .number(Int(number)), "targetPort": .number(Int(port.containerPort)),
                "protocol": .string(port.transport == .udp ? "UDP" : "TCP"), "nodePort": nodePort.map { .number(Int($0)) },
            ])
        }
        return KubernetesObject(
            "v1", "Service", ObjectNames.label("\(names.service(service.name))-published"),
            [
                "spec": .object([
                    "type": isNodePort ? "NodePort" : "LoadBalancer",
                    "selector": .texts(names.selector(service.name)),
                    "ports": .list(ports),
                ])
            ])
    }

    /// Ingress or HTTPRoute for what speaks HTTP.
    private mutating func routes(of service: Service) -> [KubernetesObject] {
        guard let port = httpPort(of: service), options.publishing == .auto || service.http != nil, options.publishing != .none else { return [] }
        let settings = service.http ?? HTTPSettings()
        return [options.routing == .ingress ? ingress(of: service, settings, port) : httpRoute(of: service, settings, port)]
    }

    private func ingress(of service: Service, _ settings: HTTPSettings, _ port: UInt16) -> KubernetesObject {
        let name = names.service(service.name)
        let backend = YAMLValue.object(["service": .object(["name": .string(name), "port": .object(["number": .number(Int(port))])])])
        let paths = YAMLValue.object([
            "paths": .list([.object(["path": .string(settings.path), "pathType": "Prefix", "backend": backend])])
        ])
        let hosts: [String?] = settings.hosts.isEmpty ? [nil] : settings.hosts
        let rules = hosts.map { host in YAMLValue.object(["host": host.map { .string($0) }, "http": paths]) }
        let tls = settings.tls.map { _ in
            YAMLValue.list([
                .object(["hosts": YAMLValue.strings(settings.hosts).unlessEmpty, "secretName": .string(ObjectNames.label("\(name)-tls"))])
            ])
        }
        return KubernetesObject(
            "networking.k8s.io/v1", "Ingress", name,
            [
                "spec": .object([
                    "ingressClassName": options.ingressClass.map { .string($0) }, "tls": tls, "rules": .list(rules),
                ])
            ])
    }

    private func httpRoute(of service: Service, _ settings: HTTPSettings, _ port: UInt16) -> KubernetesObject {
        let name = names.service(service.name)
        let parts = options.gateway.split(separator: "/", maxSplits: 1).map(String.init)
        let parent = YAMLValue.object([
            "namespace": parts.count == 2 ? .string(parts[0]) : nil, "name": .string(parts.last ?? "default"),
        ])
        let rule = YAMLValue.object([
            "matches": .list([.object(["path": .object(["type": "PathPrefix", "value": .string(settings.path)])])]),
            "backendRefs": .list([.object(["name": .string(name), "port": .number(Int(port))])]),
            "timeouts": .object(["request": .string("\(Self.seconds(settings.timeout))s")]),
        ])
        return KubernetesObject(
            "gateway.networking.k8s.io/v1", "HTTPRoute", name,
            [
                "spec": .object([
                    "parentRefs": .list([parent]), "hostnames": YAMLValue.strings(settings.hosts).unlessEmpty, "rules": .list([rule]),
                ])
            ])
    }

    // MARK: Run by others

    /// The name of a service that somebody else runs: an alias of a host's name, or its address.
    func externalObjects(of external: ExternalService) -> [KubernetesObject] {
        let name = names.service(external.service)
        var objects: [KubernetesObject]
        if external.isAddress {
            let port = YAMLValue.object(["name": .string("tcp-\(external.port)"), "port": .number(Int(external.port)), "protocol": "TCP"])
            objects = [
                KubernetesObject("v1", "Service", name, ["spec": .object(["ports": .list([port])])]),
                KubernetesObject(
                    "v1", "Endpoints", name,
                    ["subsets": .list([.object(["addresses": .list([.object(["ip": .string(external.host)])]), "ports": .list([port])])])]),
            ]
        } else {
            objects = [
                KubernetesObject(
                    "v1", "Service", name, ["spec": .object(["type": "ExternalName", "externalName": .string(external.host)])])
            ]
        }
        for index in objects.indices { objects[index].service = name }
        return objects
    }
}
