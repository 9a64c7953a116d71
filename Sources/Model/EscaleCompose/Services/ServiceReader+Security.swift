import EscaleCore
import EscaleYAML

/// How far the containers are confined.
extension ServiceReader {
    func readSecurity(_ section: Section, into service: inout Service) {
        service.readOnly = section["read_only"]?.boolean() ?? false
        service.addedCapabilities = capabilities(section["cap_add"])
        service.droppedCapabilities = capabilities(section["cap_drop"])
        var security = ServiceSecurity()
        security.isPrivileged = section.flag("privileged")
        security.options = (section["security_opt"]?.items(hint: Self.securityForms) ?? []).compactMap(
            securityOption
        )
        security.additionalGroups =
            section["group_add"]?.filledTexts(hint: "write a list such as [audio, \"1000\"]") ?? []
        security.sysctls = sysctls(section["sysctls"], service.namespaces)
        security.runtime = section.text("runtime")
        security.isolation = section.text("isolation")
        security.credentials = section["credential_spec"].flatMap(credentials)
        security.usesAPISocket = section.flag("use_api_socket")
        service.security = filled(security, unlike: ServiceSecurity())
    }

    private static let securityForms = "write a list such as [\"no-new-privileges:true\"]"

    /// `key:value` or `key=value`, and words that stand alone.
    private func securityOption(_ item: Field) -> String? {
        guard let text = item.filledText(hint: Self.securityForms) else { return nil }
        let cut = text.firstIndex { $0 == ":" || $0 == "=" } ?? text.endIndex
        let key = String(text[..<cut])
        let value = text[cut...].dropFirst()
        let known = ["apparmor", "label", "no-new-privileges", "seccomp", "systempaths", "writable-cgroups"]
        guard known.contains(key) else {
            item.error(
                "compose.security-opt",
                "\(item.path): there is no security option \"\(key)\"",
                hint: Suggestion.nearest(to: key, among: known).map { "did you mean \($0)?" }
                    ?? "possible are \(Field.listed(known))"
            )
            return nil
        }
        if key != "no-new-privileges", value.isEmpty {
            item.error(
                "compose.security-opt",
                "\(item.path): a value is missing after \(key)",
                hint: "write \(key):VALUE, such as seccomp:unconfined"
            )
            return nil
        }
        return checked(key, String(value), text, item)
    }

    /// The option, with the path of a profile resolved; `nil` for a value that is not possible.
    private func checked(_ key: String, _ value: String, _ text: String, _ item: Field) -> String? {
        let wrong: String?
        switch key {
        case "no-new-privileges" where !["", "true", "false"].contains(value): wrong = "true or false"
        case "writable-cgroups" where !["true", "false"].contains(value): wrong = "true or false"
        case "systempaths" where value != "unconfined": wrong = "unconfined"
        default: wrong = nil
        }
        if let wrong {
            item.error(
                "compose.security-opt",
                "\(item.path): \"\(value)\" must be \(wrong)",
                hint: Self.securityForms
            )
            return nil
        }
        if key == "label", value != "disable" {
            context.refuse(
                "\(item.path): processes and files get no SELinux labels",
                at: item.position,
                hint: "remove the line, or write label:disable, which is how every container runs here"
            )
        }
        let isFile = key == "seccomp" && !["unconfined", "builtin"].contains(value)
        return isFile ? "seccomp:\(item.resolve(value))" : text
    }

    /// Parameters that a container has for itself; all others are the whole machine's.
    private func sysctls(_ field: Field?, _ namespaces: ServiceNamespaces?) -> [String: String] {
        let example = "write net.core.somaxconn: 1024, or - net.core.somaxconn=1024"
        var result: [String: String] = [:]
        for (key, value, position) in field?.placedKeyValues(example: example) ?? [] {
            let isSeparate =
                ["net.", "fs.mqueue.", "kernel.msg", "kernel.shm"].contains { key.hasPrefix($0) }
                || ["kernel.sem", "kernel.domainname", "kernel.hostname"].contains(key)
            if !isSeparate {
                context.error(
                    "compose.sysctl",
                    "services.\(name).sysctls: \"\(key)\" is the whole machine's and can't be set for a container",
                    at: position,
                    hint:
                        "set it on the host; net.*, fs.mqueue.*, kernel.msg*, kernel.shm* and kernel.sem are separate"
                )
            }
            if let taken = Self.hostsNamespace(of: key, namespaces) {
                context.error(
                    "compose.sysctl",
                    "services.\(name).sysctls: \"\(key)\" is the host's with \(taken): host and can't be set for a container",
                    at: position,
                    hint: "set it on the host, or remove \(taken): host"
                )
            }
            result[key] = value ?? ""
        }
        return result
    }

    /// The attribute that makes a parameter the host's.
    private static func hostsNamespace(of key: String, _ namespaces: ServiceNamespaces?) -> String? {
        if key.hasPrefix("net."), namespaces?.network == .named("host") { return "network_mode" }
        let isName = ["kernel.domainname", "kernel.hostname"].contains(key)
        if isName { return namespaces?.uts == .named("host") ? "uts" : nil }
        return !key.hasPrefix("net.") && namespaces?.ipc == .named("host") ? "ipc" : nil
    }

    private func credentials(_ field: Field) -> CredentialSpec? {
        let example = "write exactly one of config, file and registry"
        guard let section = field.section(.credentialSpec, hint: example) else { return nil }
        let given = ["config", "file", "registry"].filter { section[$0] != nil }
        guard given.count == 1, let kind = given.first, let valueField = section[kind] else {
            if !given.isEmpty || !section.misspells("config", "file", "registry") {
                field.error(
                    "compose.credential-spec",
                    given.isEmpty
                        ? "\(field.path) names nothing" : "\(field.path) has both \(Field.listed(given))",
                    hint: example
                )
            }
            return nil
        }
        guard let value = valueField.filledText() else { return nil }
        switch kind {
        case "config":
            context.places[.use(.config, value, by: name.rawValue)] = valueField.position
            return .config(value)
        case "file": return .file(valueField.resolve(value))
        default: return .registry(value)
        }
    }
}
