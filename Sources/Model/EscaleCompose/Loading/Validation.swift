import EscaleCore

/// The phase that checks what no single attribute can tell: references, circles and conflicts.
struct Validation {
    let context: LoadContext
    let project: Project

    func run() {
        for service in project.services {
            checkReferences(of: service)
            checkContainerName(of: service)
            checkPlatform(of: service)
            checkContexts(of: service)
            checkInterface(of: service)
            checkRelease(of: service)
            checkNamespaces(of: service)
        }
        DependencyCycles(context: context, services: project.services).report()
        checkWaiting()
        for external in project.external ?? [] { check(external) }
        checkAddresses()
        checkVolumes()
        checkPorts()
        checkGateway()
        checkSharedNames()
        // Beside an error this would rather be a part of it: a misspelt reference leaves its target unused.
        if !context.diagnostics.hasErrors { reportUnused() }
    }

    func place(_ place: Place) -> SourcePosition? { context.places[place] }

    // MARK: References

    private func checkReferences(of service: Service) {
        for attachment in service.networks where attachment.network != "default" {
            let key = attachment.network
            check(.network, key, of: service, declare: "networks: {\(key): {}}")
        }
        for case .volume(let key) in service.mounts.map(\.source) {
            check(
                .volume,
                key,
                of: service,
                declare: "volumes: {\(key): {}}",
                extra: "; for a directory beside the file write ./\(key)"
            )
        }
        let secrets = service.secrets + (service.build?.options?.secrets ?? [])
        for key in secrets.map(\.source) {
            check(.secret, key, of: service, declare: "secrets: {\(key): {file: ./\(key).txt}}")
        }
        var configs = service.configs?.map(\.source) ?? []
        if case .config(let key) = service.security?.credentials { configs.append(key) }
        for key in configs {
            check(.config, key, of: service, declare: "configs: {\(key): {file: ./\(key).conf}}")
        }
        for key in service.models?.map(\.model) ?? [] {
            check(.model, key, of: service, declare: "models: {\(key): {model: ai/smollm2}}")
        }
        for dependency in service.dependencies {
            if place(.service(dependency.service.rawValue)) == nil {
                reportUnknown(dependency.service, neededBy: service.name)
            } else if !context.selection.isActive(dependency.service.rawValue) {
                reportInactive(dependency.service, neededBy: service.name)
            }
        }
    }

    private func reportInactive(_ name: ServiceName, neededBy service: ServiceName) {
        let profiles = context.selection.profiles(of: name.rawValue)
        context.error(
            "compose.depends-on.inactive",
            "services.\(service) depends on \"\(name)\", which none of the active profiles has",
            at: place(.dependency(of: service.rawValue, on: name.rawValue)),
            hint:
                "activate its profile (--profile \(profiles.first ?? "")), or write required: false if it may be missing"
        )
    }

    private func check(
        _ kind: Place.Resource,
        _ key: String,
        of service: Service,
        declare: String,
        extra: String = ""
    ) {
        guard place(.resource(kind, key)) == nil else { return }
        let declared = nearest(to: key) { if case .resource(kind, let key) = $0 { key } else { nil } }
        let near = declared.map { "did you mean \"\($0)\"? else " } ?? ""
        context.error(
            "compose.\(kind.rawValue).unknown",
            "services.\(service.name) uses the \(kind.rawValue) \"\(key)\", which is not declared",
            at: place(.use(kind, key, by: service.name.rawValue)),
            hint: "\(near)declare it at the top level: \(declare)\(extra)"
        )
    }

    private func reportUnknown(_ name: ServiceName, neededBy service: ServiceName) {
        let edge = Place.dependency(of: service.rawValue, on: name.rawValue)
        let implied = context.impliedDependencies[edge]
        let near = nearest(to: name.rawValue) { if case .service(let name) = $0 { name } else { nil } }
        context.error(
            "compose.depends-on.unknown",
            implied.map { "services.\(service).\($0) names \"\(name)\", which is no service" }
                ?? "services.\(service) depends on \"\(name)\", which is no service",
            at: place(edge),
            hint: near.map { "did you mean \"\($0)\"?" } ?? "the services are: \(serviceNames)"
        )
    }

    /// The declared name that is likely to be meant. Nobody reads hundreds of hints, and each takes time to find.
    private func nearest(to name: String, among names: (Place) -> String?) -> String? {
        guard context.diagnostics.count < 200 else { return nil }
        return Suggestion.nearest(to: name, among: context.places.keys.compactMap(names))
    }

    private var serviceNames: String {
        let names = project.services.prefix(20).map(\.name.rawValue)
        return names.joined(separator: ", ") + (project.services.count > 20 ? ", …" : "")
    }

    /// Conditions that can never hold.
    private func checkWaiting() {
        let services = Dictionary(
            project.services.map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        for service in project.services {
            for dependency in service.dependencies {
                guard let other = services[dependency.service] else { continue }
                let position = place(.dependency(of: service.name.rawValue, on: other.name.rawValue))
                if dependency.condition == .healthy, let test = other.healthcheck?.test, test == .none {
                    context.error(
                        "compose.depends-on.health",
                        "services.\(service.name) waits for \(other.name) to be healthy, but its health check is switched off",
                        at: position,
                        hint: "give \(other.name) a health check, or wait for service_started"
                    )
                }
                if dependency.condition == .completed, [.always, .unlessStopped].contains(other.restart) {
                    context.warning(
                        "compose.depends-on.completed",
                        "services.\(service.name) waits for \(other.name) to complete, but that is started again whenever it ends",
                        at: position,
                        hint: "give \(other.name) restart: \"no\" or on-failure"
                    )
                }
            }
        }
    }

    // MARK: Conflicts

    private func checkContainerName(of service: Service) {
        guard let name = service.containerName, service.replicas > 1 else { return }
        context.error(
            "compose.container-name.replicas",
            "services.\(service.name) has \(service.replicas) replicas, but `container_name` gives all the name \"\(name)\"",
            at: place(.attribute("container_name", of: service.name.rawValue)),
            hint:
                "remove `container_name`; replicas are then named \(project.name)-\(service.name)-1 and so on"
        )
    }

    private func checkPorts() {
        var taken: [String: [PublishedPort]] = [:]
        for published in context.publishedPorts {
            let key = "\(published.port)/\(published.mapping.transport.rawValue)"
            let first = taken[key, default: []].first {
                HostAddress.overlap($0.mapping.hostAddress, published.mapping.hostAddress)
            }
            taken[key, default: []].append(published)
            if let replicas = project.service(published.service)?.replicas, replicas > 1, published.mapping.isOfHost == true {
                context.error(
                    "compose.port.replicas",
                    "services.\(published.service) has \(replicas) replicas, and by mode: host each would publish \(key) for itself",
                    at: published.position,
                    hint: "remove the mode, so that all replicas share the port, or publish a range such as 8080-8089"
                )
            }
            guard let first else { continue }
            context.error(
                "compose.port.conflict",
                first.service == published.service
                    ? "services.\(published.service) publishes host port \(key) twice"
                    : "services.\(published.service) publishes host port \(key), which \(first.service) publishes too",
                at: published.position,
                hint: "choose another host port for one of them; the first is at \(first.position)"
            )
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
                    at: place(.attribute("container_name", of: service.name.rawValue)),
                    hint: "choose another name, or remove the line"
                )
            }
            owners[name] = service.name
        }
    }

    private func reportUnused() {
        let services = project.services + context.inactiveServices
        let networks = Set(services.flatMap { $0.networks.map(\.network) })
        for network in project.networks where !networks.contains(network.key) {
            reportUnused(.network, network.key)
        }
        let volumes = Set(
            services.flatMap(\.mounts).compactMap { mount in
                if case .volume(let key) = mount.source { key } else { nil }
            }
        )
        for volume in project.volumes where !volumes.contains(volume.key) {
            reportUnused(.volume, volume.key)
        }
        let secrets = Set(
            services.flatMap { ($0.secrets + ($0.build?.options?.secrets ?? [])).map(\.source) }
        )
        for secret in project.secrets where !secrets.contains(secret.key) {
            reportUnused(.secret, secret.key)
        }
        let configs = Set(services.flatMap { $0.configs?.map(\.source) ?? [] })
        for config in project.configs ?? [] where !configs.contains(config.key) && !isCredential(config.key) {
            reportUnused(.config, config.key)
        }
        let models = Set(services.flatMap { $0.models?.map(\.model) ?? [] })
        for model in project.models ?? [] where !models.contains(model.key) {
            reportUnused(.model, model.key)
        }
    }

    private func isCredential(_ config: String) -> Bool {
        project.services.contains { $0.security?.credentials == .config(config) }
    }

    private func reportUnused(_ kind: Place.Resource, _ key: String) {
        context.warning(
            "compose.\(kind.rawValue).unused",
            "no service uses the \(kind.rawValue) \"\(key)\"",
            at: place(.resource(kind, key))
        )
    }
}
