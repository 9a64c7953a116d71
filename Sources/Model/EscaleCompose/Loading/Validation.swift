import EscaleCore

/// The phase that checks what no single attribute can tell: references, circles and conflicts.
struct Validation {
    let context: LoadContext
    let project: Project

    func run() {
        for service in project.services {
            checkReferences(of: service)
            checkContainerName(of: service)
        }
        checkCycles()
        checkPorts()
        checkSharedNames()
        reportUnused()
    }

    private func place(_ path: String) -> SourcePosition? { context.places[path] }

    /// Whether the file declares it, read without errors or not.
    private func isDeclared(_ kind: String, _ key: String) -> Bool { context.places["\(kind).\(key)"] != nil }

    private func declared(_ kind: String) -> [String] {
        context.places.keys.filter { $0.hasPrefix(kind + ".") && !$0.dropFirst(kind.count + 1).contains(".") }
            .map { String($0.dropFirst(kind.count + 1)) }
    }

    // MARK: References

    private func checkReferences(of service: Service) {
        for attachment in service.networks where attachment.network != "default" {
            check("network", "networks", attachment.network, of: service, declare: "networks: {\(attachment.network): {}}")
        }
        for case .volume(let key) in service.mounts.map(\.source) {
            check("volume", "volumes", key, of: service, declare: "volumes: {\(key): {}}", extra: "; for a directory beside the file write ./\(key)")
        }
        for mount in service.secrets {
            check(
                "secret", "secrets", mount.secret, of: service,
                declare: "secrets: {\(mount.secret): {file: ./\(mount.secret).txt}}")
        }
        for dependency in service.dependencies where !isDeclared("services", dependency.service.rawValue) && dependency.required {
            let known = declared("services")
            context.error(
                "compose.depends-on.unknown", "services.\(service.name) depends on \"\(dependency.service)\", which is no service",
                at: place("services.\(service.name).depends_on.\(dependency.service)"),
                hint: Suggestion.nearest(to: dependency.service.rawValue, among: known).map { "did you mean \"\($0)\"?" }
                    ?? "the services are: \(known.sorted().joined(separator: ", "))")
        }
    }

    private func check(
        _ noun: String, _ kind: String, _ key: String, of service: Service, declare: String, extra: String = ""
    ) {
        guard !isDeclared(kind, key) else { return }
        let near = Suggestion.nearest(to: key, among: declared(kind)).map { "did you mean \"\($0)\"? else " } ?? ""
        context.error(
            "compose.\(noun).unknown", "services.\(service.name) uses the \(noun) \"\(key)\", which is not declared",
            at: place("services.\(service.name).\(kind).\(key)"),
            hint: "\(near)declare it at the top level: \(declare)\(extra)")
    }

    private func checkContainerName(of service: Service) {
        guard let name = service.containerName, service.replicas > 1 else { return }
        context.error(
            "compose.container-name.replicas",
            "services.\(service.name) has \(service.replicas) replicas, but `container_name` gives all the name \"\(name)\"",
            at: place("services.\(service.name)"),
            hint: "remove `container_name`; replicas are then named \(project.name)-\(service.name)-1 and so on")
    }

    // MARK: Circles

    /// Reports each circle of dependencies once, from its first service by name.
    private func checkCycles() {
        enum Mark { case open, done }
        var marks: [ServiceName: Mark] = [:]
        var path: [ServiceName] = []
        func visit(_ service: Service) {
            marks[service.name] = .open
            path.append(service.name)
            for dependency in service.dependencies {
                guard let next = project.service(dependency.service) else { continue }
                switch marks[next.name] {
                case .open: if let start = path.firstIndex(of: next.name) { reportCycle(Array(path[start...])) }
                case .done: break
                case nil: visit(next)
                }
            }
            path.removeLast()
            marks[service.name] = .done
        }
        for service in project.services where marks[service.name] == nil { visit(service) }
    }

    private func reportCycle(_ cycle: [ServiceName]) {
        let edges = zip(cycle, cycle.dropFirst() + cycle.prefix(1)).map { from, to in
            (from: from, to: to, at: place("services.\(from).depends_on.\(to)"))
        }
        let circle = (cycle + cycle.prefix(1)).map(\.rawValue).joined(separator: " → ")
        let places = edges.map { "\($0.from) needs \($0.to) at \($0.at.map(\.description) ?? "?")" }
        context.error(
            "compose.depends-on.cycle",
            cycle.count == 1 ? "a service depends on itself: \(circle)" : "services depend on each other in a circle: \(circle)",
            at: edges.first?.at,
            hint: "none of them could start first; remove one of these: \(places.joined(separator: ", "))")
    }

    // MARK: Conflicts

    private func checkPorts() {
        var taken: [String: [(service: ServiceName, mapping: PortMapping)]] = [:]
        for service in project.services {
            for mapping in service.ports {
                guard let port = mapping.hostPort else { continue }
                let key = "\(port)/\(mapping.transport.rawValue)"
                let other = taken[key, default: []].first { HostAddress.overlap($0.mapping.hostAddress, mapping.hostAddress) }
                taken[key, default: []].append((service.name, mapping))
                guard let other else { continue }
                let first = place(ServiceReader.portPlace(other.service, port, other.mapping))
                context.error(
                    "compose.port.conflict",
                    other.service == service.name
                        ? "services.\(service.name) publishes host port \(key) twice"
                        : "services.\(service.name) publishes host port \(key), which \(other.service) publishes too",
                    at: place(ServiceReader.portPlace(service.name, port, mapping)),
                    hint: "choose another host port for one of them" + (first.map { "; the first is at \($0)" } ?? ""))
            }
        }
    }

    private func checkSharedNames() {
        var owners: [String: ServiceName] = [:]
        for service in project.services {
            guard let name = service.containerName else { continue }
            if let other = owners[name] {
                context.error(
                    "compose.container-name.twice",
                    "services.\(service.name) has the same `container_name` as \(other): \"\(name)\"",
                    at: place("services.\(service.name)"), hint: "choose another name, or remove the line")
            }
            owners[name] = service.name
        }
    }

    private func reportUnused() {
        let networks = Set(project.services.flatMap { $0.networks.map(\.network) })
        for network in project.networks where !networks.contains(network.key) {
            reportUnused("network", "networks", network.key)
        }
        let volumes = Set(project.services.flatMap(\.mounts).compactMap { mount in
            if case .volume(let key) = mount.source { key } else { nil }
        })
        for volume in project.volumes where !volumes.contains(volume.key) { reportUnused("volume", "volumes", volume.key) }
        let secrets = Set(project.services.flatMap { $0.secrets.map(\.secret) })
        for secret in project.secrets where !secrets.contains(secret.key) { reportUnused("secret", "secrets", secret.key) }
    }

    private func reportUnused(_ noun: String, _ kind: String, _ key: String) {
        context.warning("compose.\(noun).unused", "no service uses the \(noun) \"\(key)\"", at: place("\(kind).\(key)"))
    }
}
