import EscaleCore
import EscaleYAML

/// Reads one service; each group of attributes has a file of its own.
struct ServiceReader {
    let name: ServiceName
    let context: LoadContext

    /// The service as far as it can be read, so that the others' references to it hold.
    func read(_ field: Field) -> Service? {
        guard let section = field.section(.service, hint: "a service looks like web: {image: nginx}") else {
            return nil
        }
        var service = Service(name: name)
        readOrigin(section, into: &service)
        readProcess(section, into: &service)
        readEnvironment(section, into: &service)
        readPorts(section, into: &service)
        readMounts(section, into: &service)
        readNetworks(section, into: &service)
        readDependencies(section, into: &service)
        readDeploy(section, into: &service)
        readSecurity(section, into: &service)
        service.healthcheck = section["healthcheck"].flatMap(healthcheck)
        service.restart = section["restart"].flatMap(restartPolicy) ?? .no
        readEscale(section, into: &service)
        service.profiles = section["profiles"].flatMap(profiles)
        return service
    }

    private func readOrigin(_ section: Section, into service: inout Service) {
        service.image = section["image"]?.filledText(hint: "name an image such as nginx:1.27")
        service.build = section["build"].flatMap(build)
        let isExplained =
            section.field.has("provider") || section.field.has("extends")
            || section.misspells("image", "build")
        if section["image"] == nil, section["build"] == nil, !isExplained {
            context.error(
                "compose.service.image",
                "\(section.field.path) has neither `image` nor `build`",
                at: context.places[.service(name.rawValue)],
                hint: "say what to run: `image: nginx:1.27`, or `build: .` for a directory with a Dockerfile"
            )
        }
    }

    private func build(_ field: Field) -> Build? {
        if field.isScalar {
            guard let context = field.filledText() else { return nil }
            return buildContext(context, field).map(Build.init)
        }
        guard
            let section = field.section(
                .build,
                hint: "write a directory, or context, dockerfile, args and target"
            )
        else { return nil }
        let contextField = section["context"]
        guard let path = contextField == nil ? "." : contextField?.filledText(),
            let directory = buildContext(path, contextField ?? field)
        else { return nil }
        var build = Build(context: directory)
        if let dockerfile = section["dockerfile"]?.filledText() {
            build.dockerfile = ComposePath.absolute(dockerfile, in: directory)
        }
        build.target = section["target"]?.filledText()
        for (key, value) in section["args"]?.keyValues(example: "write VERSION: 1.2 or - VERSION=1.2") ?? [] {
            // Without a value the surroundings' counts; where they have none, the Dockerfile's default.
            if let value = value ?? context.variables[key] { build.arguments[key] = value }
        }
        return build
    }

    private func buildContext(_ path: String, _ field: Field) -> String? {
        guard !path.contains("://"), !path.hasPrefix("git@"), !path.hasPrefix("github.com/") else {
            field.error(
                "compose.build.remote",
                "\(field.path): building from \"\(path)\" is not supported yet",
                hint: "clone it and name the directory"
            )
            return nil
        }
        return field.resolve(path)
    }

    /// Which of them are active was seen to before; here they are checked and kept.
    private func profiles(_ field: Field) -> [String]? {
        let names = field.items(hint: "write a list such as [debug]")?.compactMap { item in
            item.filledText(hint: "name a profile such as debug")
        }
        return names?.isEmpty == true ? nil : names
    }

    private func readDeploy(_ section: Section, into service: inout Service) {
        let deploy = section["deploy"].flatMap { $0.isNull ? nil : $0.section(.deploy) }
        readReplicas(section["scale"], deploy, into: &service)
        if let deploy { readUpdates(deploy, into: &service) }
    }

    private func readReplicas(_ scale: Field?, _ deploy: Section?, into service: inout Service) {
        let replicas = deploy?["replicas"]
        let scaleCount = scale?.integer(in: 0...Self.mostReplicas)
        let replicaCount = replicas?.integer(in: 0...Self.mostReplicas)
        if let scale, let scaleCount, let replicaCount, scaleCount != replicaCount {
            scale.error(
                "compose.scale",
                "\(scale.path) is \(scaleCount), but deploy.replicas is \(replicaCount)",
                hint: "both say how many replicas run; remove one of the two"
            )
        }
        service.replicas = replicaCount ?? scaleCount ?? 1
    }

    static let mostReplicas = 1000

    private func restartPolicy(_ field: Field) -> RestartPolicy? {
        let allowed = "possible are \"no\", always, unless-stopped, on-failure and on-failure:3"
        if case .bool(let value) = field.node.resolved {
            field.error(
                "compose.restart",
                "\(field.path) can't be \(value)",
                hint: value ? allowed : "write restart: \"no\""
            )
            return nil
        }
        guard let text = field.text(hint: allowed) else { return nil }
        switch text {
        case "no": return .no
        case "always": return .always
        case "unless-stopped": return .unlessStopped
        case "on-failure": return .onFailure(retries: nil)
        default:
            if text.hasPrefix("on-failure:"), let retries = Int(text.dropFirst(11)), retries >= 0 {
                return .onFailure(retries: retries == 0 ? nil : retries)
            }
            field.error(
                "compose.restart",
                "\(field.path): \"\(text)\" is not a restart policy",
                hint: allowed
            )
            return nil
        }
    }
}
