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
        readSharedFiles(section, into: &service)
        readNetworks(section, into: &service)
        readDependencies(section, into: &service)
        readNamespaces(section, into: &service)
        readNames(section, into: &service)
        readResources(section, into: &service)
        readDevices(section, into: &service)
        readSecurity(section, into: &service)
        readHooks(section, into: &service)
        readSurroundings(section, into: &service)
        service.healthcheck = section["healthcheck"].flatMap(healthcheck)
        service.restart = section["restart"].flatMap(restartPolicy) ?? .no
        readDeploy(section, into: &service)
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

    /// Which of them are active was seen to before; here they are checked and kept.
    private func profiles(_ field: Field) -> [String]? {
        let names = field.items(hint: "write a list such as [debug]")?.compactMap { item in
            item.filledText(hint: "name a profile such as debug")
        }
        return names?.isEmpty == true ? nil : names
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
