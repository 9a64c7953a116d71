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
        namespaces.cgroupParent = section.text("cgroup_parent")
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

    /// Whoever shares another network stack has no networks and ports of its own.
    private func checkNetworkMode(_ section: Section, _ service: inout Service) {
        guard let field = section["network_mode"], let mode = service.namespaces?.network else { return }
        if let networks = section["networks"], !networks.isNull {
            field.error(
                "compose.namespace.conflict",
                "\(field.path) and `networks` exclude each other",
                hint: "remove one of the two"
            )
        }
        service.networks = []
        let isShared = mode != .named("bridge") && mode != .named("none")
        if isShared, let ports = section["ports"], ports.node.sequence?.isEmpty == false {
            let reason =
                switch mode {
                case .service(let other): "the ports are those of \(other)"
                case .container(let other): "the ports are those of the container \(other)"
                case .named: "the ports are the host's already"
                }
            ports.error(
                "compose.namespace.conflict",
                "\(ports.path): with network_mode: \(mode.text) nothing can be published, since \(reason)",
                hint: mode == .named("host") ? "remove `ports`" : "publish them there"
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
