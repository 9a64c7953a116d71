import EscaleCore
import EscaleYAML

/// The phase that normalises: from nodes to the typed model, every short form spelt out.
struct ProjectReader {
    let context: LoadContext
    let name: ProjectName

    /// The project as far as it can be read; what can't is in the context's diagnostics.
    func read(_ root: YAMLNode) -> Project? {
        guard let section = Field(path: "", node: root, context: context).section(.file) else { return nil }
        var project = Project(name: name, workingDirectory: context.projectDirectory)
        if let version = section["version"] {
            version.warning(
                "compose.version",
                "`version` is obsolete and has no effect",
                hint: "remove the line"
            )
        }
        let services = services(section, root).sorted { $0.name < $1.name }
        project.services = services.filter { context.selection.isActive($0.name.rawValue) }
        context.inactiveServices = services.filter { !context.selection.isActive($0.name.rawValue) }
        let inactive = context.inactiveServices.map(\.name)
        project.disabledServices = inactive.isEmpty ? nil : inactive
        context.publishedPorts.removeAll { !context.selection.isActive($0.service.rawValue) }
        project.networks = networks(section["networks"]).sorted { $0.key < $1.key }
        project.volumes = volumes(section["volumes"]).sorted { $0.key < $1.key }
        project.secrets = sharedFiles(section["secrets"], .secret).sorted { $0.key < $1.key }
        project.configs = sharedFiles(section["configs"], .config).sorted { $0.key < $1.key }.filled
        project.models = models(section["models"]).sorted { $0.key < $1.key }.filled
        readEscale(section["x-escale"], into: &project)
        dropMissingOptions(from: &project)
        addDefaultNetwork(to: &project)
        return project
    }

    private func services(_ section: Section, _ root: YAMLNode) -> [Service] {
        guard let field = section["services"] else {
            context.error(
                "compose.services.missing",
                "the file has no `services:`",
                at: root.position,
                hint: "list what to run: services: {web: {image: nginx}}"
            )
            return []
        }
        guard !field.isNull, field.node.mapping?.pairs.isEmpty != true else {
            field.error(
                "compose.services.missing",
                "`services:` is empty",
                hint: "list what to run: web: {image: nginx}"
            )
            return []
        }
        let members =
            field.members(hint: "each service is a key of its own: services: {web: {image: nginx}}") ?? []
        return members.compactMap { member in
            guard !member.key.hasPrefix("x-") else { return nil }
            checkName(member, noun: ServiceName.noun)
            context.places[.service(member.key)] = member.position
            context.isReadingInactive = !context.selection.isActive(member.key)
            defer { context.isReadingInactive = false }
            return ServiceReader(name: ServiceName(rawValue: member.key), context: context).read(member.value)
        }
    }

    /// `x-escale` of the whole file.
    private func readEscale(_ field: Field?, into project: inout Project) {
        let escale = field?.filledSection(.fileEscale, hint: "write x-escale: {release: {keep: 10}}")
        let release = escale?["release"]?.filledSection(.fileRelease, hint: "write release: {keep: 10}")
        if let kept = release?["keep"]?.integer(in: 1...100) { project.keptReleases = kept }
        project.registry = escale?["registry"].flatMap(registry)
        let external = (escale?["external"]?.members() ?? []).compactMap { externalService($0, of: project) }
        project.external = external.isEmpty ? nil : external.sorted { $0.service < $1.service }
        // Nobody listens there.
        context.publishedPorts.removeAll { port in external.contains { $0.service == port.service } }
    }

    private func externalService(_ member: Field.Member, of project: Project) -> ExternalService? {
        let example = "write external: {db: {host: db.example.org, port: 5432}}, with the service's name"
        guard let section = member.value.filledSection(.external, hint: example) else { return nil }
        let name = ServiceName(rawValue: member.key)
        guard project.service(name) != nil || project.disabledServices?.contains(name) == true else {
            let names = project.services.map(\.name.rawValue)
            member.value.error(
                "compose.reference", "\(member.value.path): there is no service \"\(name)\" that somebody else could run",
                hint: Suggestion.nearest(to: name.rawValue, among: names).map { "did you mean \"\($0)\"?" } ?? example)
            return nil
        }
        guard let host = section["host"]?.filledText(hint: example), let port = section["port"]?.integer(in: 1...65535).flatMap({ UInt16(exactly: $0) })
        else {
            for missing in ["host", "port"] where section[missing] == nil {
                member.value.error("compose.missing", "\(member.value.path) has no \(missing)", hint: example)
            }
            return nil
        }
        guard host.utf8.allSatisfy({ $0 > 32 && $0 < 127 }), !host.contains("/"),
            !host.contains(":") || HostAddress.isValid(host)
        else {
            section["host"]?.error("compose.value", "\(member.value.path).host: \"\(host)\" is no host's name or address", hint: example)
            return nil
        }
        guard host != "localhost", !HostAddress.isLoopback(host) else {
            section["host"]?.error(
                "compose.external.host", "\(member.value.path).host: for a container \(host) is the container itself",
                hint: "write the host's name or its address on the network")
            return nil
        }
        context.places[.external(name.rawValue)] = member.position
        var external = ExternalService(service: name, host: host, port: port)
        if let field = section["secret"], let key = field.filledText() {
            if project.secrets.contains(where: { $0.key == key }) {
                external.secret = key
            } else {
                field.error(
                    "compose.reference", "\(field.path): there is no secret \"\(key)\"",
                    hint: "declare it under `secrets` at the top of the file")
            }
        }
        return external
    }

    private func registry(_ field: Field) -> RegistryOptions? {
        let example = "write registry: {listen: 127.0.0.1:5000}"
        guard let section = field.filledSection(.fileRegistry, hint: example) else { return nil }
        guard let listen = section["listen"]?.filledText(hint: example) else {
            field.error("compose.missing", "\(field.path) says not where to listen", hint: example)
            return nil
        }
        let port = listen.split(separator: ":").last.flatMap { UInt16($0) }
        guard listen.contains(":"), !listen.hasPrefix(":"), port != nil else {
            section["listen"]?.error(
                "compose.value", "\(field.path).listen: \"\(listen)\" is not an address and a port", hint: example)
            return nil
        }
        var options = RegistryOptions(listen: listen)
        func path(_ name: String) -> String? { section[name].flatMap { file in file.filledText().map(file.resolve) } }
        options.htpasswd = path("htpasswd")
        options.certificate = path("tls_certificate")
        options.key = path("tls_key")
        if (options.certificate == nil) != (options.key == nil) {
            field.error(
                "compose.missing", "\(field.path): a certificate needs its key, and a key its certificate",
                hint: "write both tls_certificate and tls_key")
        }
        return options
    }

    // MARK: Networks and volumes

    private func networks(_ field: Field?) -> [Network] {
        (field?.members() ?? []).compactMap { member in
            guard let (key, section) = resource(member, .network, .network, NetworkName.noun) else {
                return nil
            }
            let external = external(
                section,
                .networkExternal,
                forbidding: [
                    "driver", "driver_opts", "internal", "labels", "ipam", "attachable", "enable_ipv4",
                    "enable_ipv6",
                ]
            )
            var network = Network(
                key: key,
                name: NetworkName(rawValue: hostName(key, section, external)),
                isExternal: external.isExternal
            )
            network.isInternal = section?["internal"]?.boolean() ?? false
            network.labels = section?["labels"]?.labels() ?? [:]
            network.options = section.flatMap(networkOptions)
            return network
        }
    }

    private func networkOptions(_ section: Section) -> NetworkOptions? {
        var options = NetworkOptions()
        options.driver = driver(section["driver"], usual: "bridge")
        options.driverOptions = section["driver_opts"]?.options(example: "write key: value").filled
        for member in section["driver_opts"]?.members() ?? [] { checkNetworkOption(member) }
        options.isAttachable = section.flag("attachable")
        options.enablesIPv4 = section["enable_ipv4"]?.boolean()
        options.enablesIPv6 = section["enable_ipv6"]?.boolean()
        options.addresses = section["ipam"].flatMap { AddressReader(hasIPv6: options.enablesIPv6 == true).read($0) }
        checkPacketSize(options, section["driver_opts"])
        return filled(options, unlike: NetworkOptions())
    }

    /// IPv6 takes no links with packets that small.
    private func checkPacketSize(_ options: NetworkOptions, _ field: Field?) {
        guard options.enablesIPv6 == true, let mtu = options.mtu, NetworkOptions.possibleMTU.contains(mtu),
            mtu < NetworkOptions.smallestIPv6MTU
        else { return }
        field?.error(
            "compose.network.mtu", "networks with IPv6 have packets of at least \(NetworkOptions.smallestIPv6MTU) bytes, not \(mtu)",
            hint: "write \(NetworkOptions.smallestIPv6MTU) or more, or remove enable_ipv6")
    }

    /// What Docker's bridge driver knows, as far as there is something to say about it.
    private func checkNetworkOption(_ member: Field.Member) {
        let bridge = "com.docker.network.bridge."
        let value = member.value.node.scalar?.text ?? ""
        switch member.key {
        case NetworkOptions.mtuOption:
            guard let mtu = Int(value), NetworkOptions.possibleMTU.contains(mtu) else {
                member.value.error(
                    "compose.network.mtu", "\(member.value.path): \"\(value)\" is no size of packets",
                    hint: "write a number of bytes from 576 to 65535, such as 1400")
                return
            }
        case bridge + "enable_icc" where value == "false":
            context.refuse(
                "\(member.value.path): containers of one network reach one another here", at: member.position,
                hint: "give each of them a network of its own")
        case bridge + "host_binding_ipv4" where value != "0.0.0.0":
            context.refuse(
                "\(member.value.path): every port says itself where it is published", at: member.position,
                hint: "write the address at the port: ports: [\"\(value):8080:80\"]")
        case bridge + "enable_icc", bridge + "host_binding_ipv4": break
        case bridge + "enable_ip_masquerade" where value == "true": break
        default:
            member.value.warning(
                "compose.network.option", "\(member.value.path) has no effect: the option is not known here",
                hint: "remove the line; known is \(NetworkOptions.mtuOption)")
        }
    }

    private func volumes(_ field: Field?) -> [Volume] {
        (field?.members() ?? []).compactMap { member in
            guard let (key, section) = resource(member, .volume, .volume, VolumeName.noun) else { return nil }
            let external = external(
                section,
                .volumeExternal,
                forbidding: ["driver", "driver_opts", "labels"]
            )
            var volume = Volume(
                key: key,
                name: VolumeName(rawValue: hostName(key, section, external)),
                isExternal: external.isExternal,
                labels: section?["labels"]?.labels() ?? [:]
            )
            var options = VolumeOptions()
            options.driver = driver(section?["driver"], usual: "local")
            options.driverOptions = section?["driver_opts"].flatMap(volumeOptions)
            volume.options = filled(options, unlike: VolumeOptions())
            let escale = section?["x-escale"]?.filledSection(.volumeEscale, hint: "write x-escale: {size: 10g}")
            volume.size = escale?["size"]?.bytes()
            return volume
        }
    }

    /// A driver that isn't the usual one, which is refused.
    private func driver(_ field: Field?, usual: String) -> String? {
        guard let field, !field.isNull, let driver = field.text(), !["", "default", usual].contains(driver)
        else { return nil }
        context.refuse(
            "\(field.path): the driver \"\(driver)\" is not supported",
            at: field.position,
            hint: "remove the line; Escale has one driver, which takes the place of \(usual)"
        )
        return driver
    }

    // MARK: Secrets, configs, models

    private func sharedFiles(_ field: Field?, _ kind: Place.Resource) -> [SharedFile] {
        (field?.members() ?? []).compactMap { member in
            let scope: ComposeAttribute.Scope = kind == .secret ? .secret : .config
            guard let (key, section) = resource(member, kind, scope, "\(kind.rawValue) name") else {
                return nil
            }
            let externalScope: ComposeAttribute.Scope = kind == .secret ? .secretExternal : .configExternal
            let reader = SharedFileReader(context: context, kind: kind, key: key, project: name)
            let external = external(section, externalScope, forbidding: reader.ownAttributes)
            return reader.read(member, section, external)
        }
    }

    private func models(_ field: Field?) -> [LanguageModel] {
        (field?.members() ?? []).compactMap { member in
            guard let (key, section) = resource(member, .model, .model, "model name") else { return nil }
            guard let model = section?["model"] else {
                if section?.misspells("model") != true {
                    context.error(
                        "compose.missing",
                        "\(member.value.path) has no `model`",
                        at: member.position,
                        hint: "name the model: model: ai/smollm2"
                    )
                }
                return nil
            }
            guard let text = model.filledText() else { return nil }
            var result = LanguageModel(key: key, name: section?.text("name") ?? "\(name)_\(key)", model: text)
            result.contextSize = section?["context_size"]?.integer(in: 1...Int(Int32.max))
            result.runtimeFlags =
                section?["runtime_flags"]?.items(hint: "write a list such as [\"--verbose\"]")?.compactMap {
                    $0.text()
                } ?? []
            return result
        }
    }

    /// A resource's checked key and attributes; one without a value has only the key.
    private func resource(
        _ member: Field.Member,
        _ kind: Place.Resource,
        _ scope: ComposeAttribute.Scope,
        _ noun: String
    ) -> (key: String, section: Section?)? {
        guard !member.key.hasPrefix("x-") else { return nil }
        checkName(member, noun: noun)
        context.places[.resource(kind, member.key)] = member.position
        guard !member.value.isNull else { return (member.key, nil) }
        return (member.key, member.value.section(scope))
    }

    private func checkName(_ member: Field.Member, noun: String) {
        guard !ServiceName.accepts(member.key) else { return }
        context.error(
            "compose.name",
            "\"\(member.key)\" is not a valid \(noun)",
            at: member.position,
            hint: "use up to 128 letters, digits, '_', '.' and '-', beginning with a letter, a digit or '_'"
        )
    }

    /// What `external` says of a resource.
    struct External {
        var isExternal = false
        var name: String?
    }

    /// `external: true`, or the old `external: {name: …}`.
    private func external(
        _ section: Section?,
        _ scope: ComposeAttribute.Scope,
        forbidding others: [String]
    ) -> External {
        guard let section, let field = section["external"] else { return External() }
        var external = External()
        if field.isMapping {
            external.name = field.section(scope)?.text("name")
            external.isExternal = true
            field.warning(
                "compose.external.name",
                "\(field.path).name is obsolete",
                hint: "write `external: true` and `name:` beside it"
            )
        } else {
            external.isExternal = field.boolean() ?? false
        }
        for other in others where external.isExternal {
            section[other]?.error(
                "compose.external",
                "\(section.field.path) is external, so `\(other)` can't be set here",
                hint: "whoever made it has decided that; remove the line, or `external`"
            )
        }
        return external
    }

    private func hostName(_ key: String, _ section: Section?, _ external: External) -> String {
        let field = section?["name"]
        let given = field?.filledText() ?? external.name
        let name = given ?? (external.isExternal ? key : "\(self.name)_\(key)")
        if !ServiceName.accepts(name), ServiceName.accepts(key) {
            context.error(
                "compose.name",
                "\"\(name)\" is not a valid name",
                at: field?.position ?? section?.field.position,
                hint:
                    "use up to 128 letters, digits, '_', '.' and '-', beginning with a letter, a digit or '_'"
            )
        }
        return name
    }

    /// A dependency that is not required asks for nothing where its service is left out or there is none.
    private func dropMissingOptions(from project: inout Project) {
        for index in project.services.indices {
            project.services[index].dependencies.removeAll { dependency in
                let name = dependency.service.rawValue
                return !dependency.required
                    && (context.places[.service(name)] == nil || !context.selection.isActive(name))
            }
        }
    }

    private func addDefaultNetwork(to project: inout Project) {
        let isUsed = project.services.contains { $0.networks.contains { $0.network == "default" } }
        guard isUsed, !project.networks.contains(where: { $0.key == "default" }) else { return }
        project.networks.append(Network(key: "default", name: NetworkName(rawValue: "\(name)_default")))
        project.networks.sort { $0.key < $1.key }
    }
}
