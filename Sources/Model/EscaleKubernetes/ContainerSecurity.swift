import EscaleCompose
import EscaleCore
import EscaleYAML

/// How far containers and pods are confined.
extension KubernetesMapping {
    mutating func containerSecurity(of service: Service) -> YAMLValue {
        let isPrivileged = service.security?.isPrivileged == true
        let options = service.security?.options ?? []
        let forbidsMore = options.contains { ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"].contains($0) }
        let (user, group) = identity(of: service)
        return .object([
            "runAsUser": user.map { .number($0) },
            "runAsGroup": group.map { .number($0) },
            "runAsNonRoot": user.map { $0 == 0 ? nil : true } ?? nil,
            "privileged": isPrivileged ? true : nil,
            // Not with what says the opposite.
            "allowPrivilegeEscalation": forbidsMore && !isPrivileged && !service.addedCapabilities.contains(where: Self.isSysAdmin) ? false : nil,
            "readOnlyRootFilesystem": service.readOnly ? true : nil,
            "capabilities": .filledObject([
                "add": YAMLValue.strings(service.addedCapabilities.map(Self.capability)).unlessEmpty,
                "drop": YAMLValue.strings(service.droppedCapabilities.map(Self.capability)).unlessEmpty,
            ]),
            "seccompProfile": isPrivileged ? nil : seccomp(of: service),
        ])
    }

    mutating func podSecurity(of service: Service) -> YAMLValue? {
        var groups: [YAMLValue] = []
        for group in service.security?.additionalGroups ?? [] {
            if let number = Int(group) {
                groups.append(.number(number))
            } else {
                note(.lost, service, "group_add", "the group \"\(group)\": only the image knows its number; write the number")
            }
        }
        let sysctls = (service.security?.sysctls ?? [:]).sorted { $0.key < $1.key }.map { name, value in
            YAMLValue.object(["name": .string(name), "value": .string(value)])
        }
        return .filledObject([
            "supplementalGroups": YAMLValue.list(groups).unlessEmpty,
            "sysctls": YAMLValue.list(sysctls).unlessEmpty,
        ])
    }

    /// User and group as numbers, where the file says them.
    private mutating func identity(of service: Service) -> (user: Int?, group: Int?) {
        guard let text = service.user, !text.isEmpty else { return (nil, nil) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        func number(_ part: Substring?) -> Int? { part.flatMap { Int($0) } }
        let group = parts.count == 2 ? parts[1] : nil
        let user = parts[0] == "root" ? 0 : number(parts[0])
        let isUnderstood = user != nil && (group == nil || number(group) != nil || group == "root")
        if !isUnderstood {
            note(.lost, service, "user", "\"\(text)\": only the image knows the name's number; the image's own user stays, write a number")
            return (nil, nil)
        }
        return (user, group == "root" ? 0 : number(group))
    }

    private static func capability(_ name: String) -> String {
        let upper = name.uppercased()
        return upper.hasPrefix("CAP_") ? String(upper.dropFirst(4)) : upper
    }

    private static func isSysAdmin(_ name: String) -> Bool { capability(name) == "SYS_ADMIN" }

    /// Without a word in the file, the runtime's own profile, as on one machine.
    private mutating func seccomp(of service: Service) -> YAMLValue {
        for option in service.security?.options ?? [] where option.hasPrefix("seccomp") {
            let value = option.dropFirst("seccomp".count + 1)
            if value == "unconfined" { return .object(["type": "Unconfined"]) }
            note(
                .approximated, service, "security_opt",
                "the profile \(value) has to be on every node, below the kubelet's seccomp directory, as escale/\(Self.fileName(value))")
            return .object(["type": "Localhost", "localhostProfile": .string("escale/\(Self.fileName(value))")])
        }
        return .object(["type": "RuntimeDefault"])
    }

    private static func fileName(_ path: Substring) -> Substring { path.split(separator: "/").last ?? path }
}
