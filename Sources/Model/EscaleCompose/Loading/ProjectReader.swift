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
        project.secrets = secrets(section["secrets"]).sorted { $0.key < $1.key }
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
    }

    // MARK: Networks, volumes, secrets

    private func networks(_ field: Field?) -> [Network] {
        (field?.members() ?? []).compactMap { member in
            guard let (key, section) = resource(member, .network, .network, NetworkName.noun) else {
                return nil
            }
            let external = external(section, forbidding: ["driver", "internal", "labels"])
            var network = Network(
                key: key,
                name: NetworkName(rawValue: hostName(key, section, external)),
                isExternal: external.isExternal
            )
            network.isInternal = section?["internal"]?.boolean() ?? false
            network.labels = labels(section?["labels"])
            check(section?["driver"], is: "bridge", "compose.network.driver")
            return network
        }
    }

    private func volumes(_ field: Field?) -> [Volume] {
        (field?.members() ?? []).compactMap { member in
            guard let (key, section) = resource(member, .volume, .volume, VolumeName.noun) else { return nil }
            let external = external(section, forbidding: ["driver", "labels"])
            check(section?["driver"], is: "local", "compose.volume.driver")
            return Volume(
                key: key,
                name: VolumeName(rawValue: hostName(key, section, external)),
                isExternal: external.isExternal,
                labels: labels(section?["labels"])
            )
        }
    }

    private func secrets(_ field: Field?) -> [Secret] {
        (field?.members() ?? []).compactMap { member in
            guard let (key, section) = resource(member, .secret, .secret, "secret name") else { return nil }
            guard let file = section?["file"] else {
                if section == nil || !hasRefusedSource(member.value.node) {
                    context.error(
                        "compose.secret.file",
                        "\(member.value.path) has no source",
                        at: member.position,
                        hint: "name the file that holds the value: file: ./\(key).txt"
                    )
                }
                return nil
            }
            guard let path = file.filledText() else { return nil }
            let absolute = file.resolve(path)
            if absolute.hasPrefix("/"), !context.fileSystem.exists(absolute) {
                file.warning(
                    "compose.secret.missing",
                    "there is no file \(absolute)",
                    hint: "create it before `escale up`; services that use the secret won't start without it"
                )
            }
            return Secret(key: key, file: absolute)
        }
    }

    /// Whether the secret names a source that was already refused, so that "no source" needn't be said too.
    private func hasRefusedSource(_ node: YAMLNode) -> Bool {
        ["environment", "external", "driver"].contains { node.mapping?[$0] != nil }
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

    private struct External {
        var isExternal = false
        var name: String?
    }

    /// `external: true`, or the old `external: {name: …}`.
    private func external(_ section: Section?, forbidding others: [String]) -> External {
        guard let section, let field = section["external"] else { return External() }
        var external = External()
        if let name = field.node.mapping?["name"] {
            external.name = Field(path: field.path + ".name", node: name, context: context).filledText()
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

    private func check(_ field: Field?, is usual: String, _ code: String) {
        guard let field, !field.isNull, let driver = field.text(), !["", "default", usual].contains(driver)
        else { return }
        field.error(
            code,
            "\(field.path): the driver \"\(driver)\" is not supported",
            hint: "remove the line; Escale has one driver, which takes the place of \(usual)"
        )
    }

    private func labels(_ field: Field?) -> [String: String] {
        let pairs = field?.keyValues(example: "labels look like com.example.team: web") ?? []
        return Dictionary(pairs.map { ($0.key, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
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
