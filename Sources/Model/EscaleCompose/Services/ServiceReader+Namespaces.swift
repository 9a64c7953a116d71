import EscaleCore
import EscaleYAML

/// Namespaces that containers share, and the services that this makes them depend on.
extension ServiceReader {
    func readNamespaces(_ section: Section, into service: inout Service) {
        var namespaces = ServiceNamespaces()
        namespaces.network = section["network_mode"].flatMap {
            namespace($0, ["bridge", "host", "none"], named: "a network's name")
        }
        namespaces.ipc = section["ipc"].flatMap { namespace($0, ["host", "none", "private", "shareable"]) }
        namespaces.pid = section["pid"].flatMap { namespace($0, ["host", "private"]) }
        namespaces.uts = section["uts"].flatMap { namespace($0, ["host", "private"]) }
        namespaces.user = section["userns_mode"].flatMap { namespace($0, ["host", "private"], joins: false) }
        namespaces.cgroup = section["cgroup"].flatMap { namespace($0, ["host", "private"], joins: false) }
        namespaces.cgroupParent = section["cgroup_parent"].flatMap(controlGroup)
        if namespaces.user == .named("private") {
            context.refuse(
                "services.\(name).userns_mode: containers have no user namespace of their own",
                at: section["userns_mode"]?.position,
                hint: "write host, or remove the line: root in a container is the host's, with few capabilities"
            )
        }
        service.namespaces = filled(namespaces, unlike: ServiceNamespaces())
        for (attribute, other) in namespaces.services {
            guard let field = section[attribute] else { continue }
            depend(on: other, through: field, attribute, restart: true, &service)
        }
        checkNetworkMode(section, &service)
        if let uts = section["uts"], namespaces.uts == .named("host"), section["hostname"] != nil {
            uts.error(
                "compose.namespace.conflict",
                "\(uts.path): with the host's names, `hostname` can't be set",
                hint: "remove one of the two"
            )
        }
    }

    /// A path below the roots of the control groups' hierarchies.
    private func controlGroup(_ field: Field) -> String? {
        guard let path = field.filledText(hint: "write a path such as /batch") else { return nil }
        let names = path.split(separator: "/")
        if !names.isEmpty, !names.contains(".."), !names.contains(".") { return path }
        field.error(
            "compose.path",
            "\(field.path): \"\(path)\" names no control group",
            hint: "write a path below /sys/fs/cgroup, such as /batch"
        )
        return nil
    }

    /// A word, `service:NAME` or `container:NAME`; with `named`, also the name of something else.
    private func namespace(
        _ field: Field,
        _ words: [String],
        named: String? = nil,
        joins: Bool = true
    ) -> NamespaceMode? {
        let forms = words + (joins ? ["service:NAME", "container:NAME"] : []) + [named].compactMap(\.self)
        let possible = "possible are \(Field.listed(forms))"
        guard let text = field.filledText(hint: possible) else { return nil }
        if words.contains(text) { return .named(text) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init
        )
        if joins, parts.count == 2, ServiceName.accepts(parts[1]) {
            if parts[0] == "service" { return .service(ServiceName(rawValue: parts[1])) }
            if parts[0] == "container" { return .container(parts[1]) }
        }
        if named != nil, parts.count == 1, ServiceName.accepts(text) { return .named(text) }
        let near = Suggestion.nearest(to: text, among: words).map { "did you mean \($0)? " } ?? ""
        field.error("compose.value", "\(field.path): \"\(text)\" is not possible here", hint: near + possible)
        return nil
    }

    /// Whoever shares another network stack has no networks and ports of its own, and the names that go with it.
    private func checkNetworkMode(_ section: Section, _ service: inout Service) {
        guard let field = section["network_mode"], let mode = service.namespaces?.network else { return }
        if let networks = section["networks"], !networks.isNull {
            field.error(
                "compose.namespace.conflict",
                "\(field.path) and `networks` exclude each other",
                hint: "remove one of the two"
            )
        }
        service.networks = mode == .named("bridge") ? [NetworkAttachment(network: "default")] : []
        if case .named(let name) = mode, !["bridge", "none", "host"].contains(name) {
            context.refuse(
                "\(field.path): \(name) is the name of a network", at: field.position,
                hint: "write networks: [\(name)], and at the top level networks: {\(name): {external: true}}")
        }
        checkJoining(mode, field, section)
        if mode != .named("bridge"), let ports = section["ports"], ports.node.sequence?.isEmpty == false {
            let reason =
                switch mode {
                case .service(let other): "the ports are those of \(other)"
                case .container(let other): "the ports are those of the container \(other)"
                case .named("none"): "the container has no network"
                case .named: "the ports are the host's already"
                }
            ports.error(
                "compose.namespace.conflict",
                "\(ports.path): with network_mode: \(mode.text) nothing can be published, since \(reason)",
                hint: mode == .named("host") || mode == .named("none") ? "remove `ports`" : "publish them there"
            )
        }
    }

    /// What is the other container's where its network is joined.
    private func checkJoining(_ mode: NamespaceMode, _ field: Field, _ section: Section) {
        let ofOthers = ["hostname", "domainname", "dns", "dns_search", "dns_opt", "extra_hosts"]
        let isJoined =
            switch mode {
            case .service, .container: true
            case .named: false
            }
        for attribute in ["mac_address"] + (isJoined ? ofOthers : []) where mode != .named("bridge") && mode != .named("none") {
            guard let other = section[attribute], !other.isNull else { continue }
            other.error(
                "compose.namespace.conflict",
                "\(other.path): with network_mode: \(mode.text) this is not the service's own to choose",
                hint: isJoined ? "write it at the other one" : "remove the line"
            )
        }
        if mode != .named("bridge"), let http = section["x-escale"]?.node.mapping?.pairs.first(where: { $0.key == "http" }) {
            context.error(
                "compose.namespace.conflict",
                "services.\(name).x-escale.http: the gateway reaches services by their networks, and with network_mode: \(mode.text) there is none",
                at: http.keyPosition, hint: "remove one of the two"
            )
        }
    }

    /// Notes a dependency that follows from another attribute, unless `depends_on` has it already.
    func depend(
        on other: ServiceName,
        through field: Field,
        _ attribute: String,
        restart: Bool,
        _ service: inout Service
    ) {
        let place = Place.dependency(of: name.rawValue, on: other.rawValue)
        guard context.places[place] == nil else { return }
        context.places[place] = field.position
        context.impliedDependencies[place] = attribute
        service.dependencies.append(Dependency(other, restart: restart))
    }
}
