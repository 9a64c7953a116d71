import EscaleCompose
import EscaleCore
import EscaleCrypto
import EscaleYAML

/// What `escale config` prints of a project that has no errors.
struct ConfigOutput {
    let options: Config.Options
    let loaded: LoadResult
    let session: Session

    /// The text with its last line break.
    func text() async throws -> String {
        if let key = options.explained { return try explanation(of: key) }
        if options.variables { return try variables() }
        if options.environment {
            return lines(loaded.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
        }
        if options.profiles { return lines(loaded.profiles) }
        guard let project = loaded.project else { return tree(escaping: false) }
        if let services = options.hashed { return lines(try hashes(services, of: project)) }
        if options.lockDigests || options.resolveDigests {
            let images = try await ImagePins(session: session).images(of: project)
            return options.lockDigests ? written(ImagePins.override(images)) : canonical(ImagePins.pinned(project, images))
        }
        if let names = names(of: project) { return lines(names) }
        return options.noNormalize ? tree(escaping: true) : canonical(project)
    }

    private func lines(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }

    private func written(_ value: YAMLValue) -> String {
        options.format == .json ? JSONWriter.text(value) : YAMLWriter.text(value)
    }

    private func canonical(_ project: Project) -> String { written(ProjectRenderer.tree(project)) }

    /// The merged files as they are.
    private func tree(escaping: Bool) -> String {
        loaded.tree.map { written(ProjectRenderer.tree($0, escaping: escaping)) } ?? ""
    }

    // MARK: Lists

    private func names(of project: Project) -> [String]? {
        let lists: [(isWanted: Bool, names: [String])] = [
            (options.services, project.services.map(\.name.rawValue)),
            (options.images, project.imageNames),
            (options.volumes, project.volumes.map(\.key)),
            (options.networks, project.networks.map(\.key)),
        ]
        let wanted = lists.filter(\.isWanted)
        return wanted.isEmpty ? nil : wanted.flatMap(\.names)
    }

    /// `SERVICE HASH` of the services named: of what a container is made of, so that equal ones need no new container.
    private func hashes(_ services: String, of project: Project) throws -> [String] {
        let names = services == "*" ? project.services.map(\.name.rawValue) : services.split(separator: ",").map(String.init)
        return try names.map { name in
            guard let service = project.services.first(where: { $0.name.rawValue == name }) else {
                throw EscaleError.unknownService(name, in: project)
            }
            let text = JSONWriter.text(ProjectRenderer.containerSettings(service))
            return "\(name) \(SHA256.digest(ofText: text).hex)"
        }
    }

    // MARK: Variables

    /// A table, or with `--format` an object by name as docker compose prints it.
    private func variables() throws -> String {
        guard options.format != nil else {
            var table = Table("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")
            for use in loaded.variables {
                table.add(use.name, "\(use.isRequired)", use.defaultValue ?? "", use.alternateValue ?? "")
            }
            return table.rendered()
        }
        return written(
            .map(
                loaded.variables.map { use in
                    .init(
                        use.name,
                        .map([
                            .init("Name", .string(use.name)), .init("DefaultValue", .string(use.defaultValue ?? "")),
                            .init("PresenceValue", .string(use.alternateValue ?? "")), .init("Required", .bool(use.isRequired)),
                        ])
                    )
                }
            )
        )
    }

    // MARK: Explanations

    private func explanation(of key: String) throws -> String {
        guard let explanation = Explanation(of: key, in: loaded, shell: session.environment) else { throw EscaleError.nothingToExplain(key, in: loaded) }
        switch options.format {
        case .json: return try JSONText.pretty(explanation)
        case .yaml: return try YAMLText.document(explanation)
        case nil: return explanation.text
        }
    }
}

extension EscaleError {
    fileprivate static func nothingToExplain(_ key: String, in loaded: LoadResult) -> Self {
        let near = Explanation.known(near: key, in: loaded)
        return Self(
            .init("config.key"),
            "nothing in the project is called \(key)",
            hint: near.isEmpty ? "name a path such as services.web.image" : "there are \(spokenList(near, last: "and"))"
        )
    }
}
