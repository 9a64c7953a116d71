import EscaleCompose
import EscaleCore
import EscaleYAML

/// What happens in a pod before its service's own container: volumes are filled, dependencies waited for.
extension KubernetesMapping {
    mutating func initContainers(of service: Service, _ volumes: PodVolumes) -> [YAMLValue] {
        waiting(of: service) + filling(of: service, volumes) + preparing(of: service, volumes)
    }

    /// The headless Service whose name exists while some pod of the service is ready.
    func readyName(_ service: ServiceName) -> String { ObjectNames.label("\(names.service(service))-ready") }

    /// The services that others wait for until they are healthy.
    var awaited: Set<ServiceName> {
        let external = Set(project.externalServices.map(\.service))
        let found = project.services.flatMap(\.dependencies).filter { $0.condition == .healthy && $0.required }.map(\.service)
        return Set(found).subtracting(external)
    }

    /// One container for each dependency that has to be healthy: it ends when the dependency's name is known to the cluster's
    /// resolver, which is so while a pod of it is ready.
    private mutating func waiting(of service: Service) -> [YAMLValue] {
        var containers: [YAMLValue] = []
        // What only follows from other attributes, the file doesn't say.
        var implied = Set((service.namespaces?.services ?? []).map(\.name) + (service.names?.links ?? []).map(\.service))
        for case .service(let owner) in (service.volumesFrom ?? []).map(\.owner) { implied.insert(owner) }
        for dependency in service.dependencies where dependency.condition == .started && dependency.required && !implied.contains(dependency.service) {
            note(.approximated, service, "depends_on", "\(dependency.service) is not waited for: pods are started side by side")
        }
        for dependency in service.dependencies where awaited.contains(dependency.service) && dependency.required {
            guard dependency.condition == .healthy else { continue }
            let name = readyName(dependency.service)
            // Busybox's nslookup fails where only one of the domains to search has the name.
            let line =
                "while read -r word domain rest; do [ \"$word\" = search ] && break; done </etc/resolv.conf; "
                + "until getent hosts \(name) >/dev/null 2>&1 || nslookup \"\(name).$domain\" >/dev/null 2>&1; do sleep 1; done"
            containers.append(
                .object([
                    "name": .string(ObjectNames.label("wait-for-\(names.service(dependency.service))")),
                    "image": .string(image(of: service)),
                    "command": .strings(["/bin/sh", "-c", line]),
                    "securityContext": containerSecurity(of: service),
                ]))
        }
        return containers
    }

    /// `pre_start`: commands that have to end well before the service's own container begins, in its image or another.
    private mutating func preparing(of service: Service, _ volumes: PodVolumes) -> [YAMLValue] {
        var containers: [YAMLValue] = []
        for (index, hook) in (service.hooks?.preStart ?? []).enumerated() {
            let runner = service.runner(of: hook)
            let words = words(of: runner)
            let own = (environment(of: service)?.items ?? []).filter { item in hook.environment[item["name"]?.stringValue ?? ""] == nil }
            let others = hook.environment.sorted { $0.key < $1.key }.map { name, value in
                YAMLValue.object(["name": .string(name), "value": .string(Self.literal(value))])
            }
            containers.append(
                .object([
                    "name": .string("before-\(index + 1)"),
                    "image": .string(hook.image ?? image(of: service)),
                    "command": words.command,
                    "args": words.arguments,
                    "workingDir": runner.workingDirectory.map { .string($0) },
                    "env": YAMLValue.list(own + others).unlessEmpty,
                    "volumeMounts": YAMLValue.list(volumes.mounts).unlessEmpty,
                    "securityContext": containerSecurity(of: runner),
                ]))
        }
        return containers
    }

    /// Compose fills a new volume with what the image has at its place, as root; here the pod's first container does.
    private func filling(of service: Service, _ volumes: PodVolumes) -> [YAMLValue] {
        volumes.fillings.map { filling in
            let line =
                "from=\(Self.quoted(filling.target)) to=/escale/volume; "
                + "if [ -d \"$from\" ] && [ -z \"$(ls -A \"$to\" | grep -vx lost+found)\" ]; then cp -a \"$from/.\" \"$to/\"; fi"
            return .object([
                "name": .string(ObjectNames.label("fill-\(filling.volume)")),
                "image": .string(image(of: service)),
                "command": .strings(["/bin/sh", "-c", Self.literal(line)]),
                "volumeMounts": .list([
                    .object([
                        "name": .string(filling.volume), "mountPath": "/escale/volume", "subPath": filling.subpath.map { .string($0) },
                    ])
                ]),
                "securityContext": .object([
                    "runAsUser": 0, "allowPrivilegeEscalation": false,
                    "capabilities": .object(["drop": .list(["ALL"]), "add": .list(["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETFCAP"])]),
                    "seccompProfile": .object(["type": "RuntimeDefault"]),
                ]),
            ])
        }
    }
}
