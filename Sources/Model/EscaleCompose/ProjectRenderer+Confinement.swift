import EscaleCore
import EscaleYAML

/// Namespaces, rights, and names.
extension ProjectRenderer {
    static func add(_ security: ServiceSecurity, to members: inout Members) {
        members.add("credential_spec", security.credentials.map(credentials))
        members.add("group_add", list(security.additionalGroups))
        members.add("isolation", security.isolation.map(text))
        members.add("privileged", flag(security.isPrivileged))
        members.add("runtime", security.runtime.map(text))
        members.add("security_opt", list(security.options))
        members.add("sysctls", pairs(security.sysctls))
        members.add("use_api_socket", flag(security.usesAPISocket))
    }

    private static func credentials(_ spec: CredentialSpec) -> YAMLValue {
        switch spec {
        case .config(let key): .map([.init("config", text(key))])
        case .file(let path): .map([.init("file", text(path))])
        case .registry(let name): .map([.init("registry", text(name))])
        }
    }

    static func add(_ namespaces: ServiceNamespaces, to members: inout Members) {
        members.add("cgroup", namespaces.cgroup.map { text($0.text) })
        members.add("cgroup_parent", namespaces.cgroupParent.map(text))
        members.add("ipc", namespaces.ipc.map { text($0.text) })
        members.add("network_mode", namespaces.network.map { text($0.text) })
        members.add("pid", namespaces.pid.map { text($0.text) })
        members.add("userns_mode", namespaces.user.map { text($0.text) })
        members.add("uts", namespaces.uts.map { text($0.text) })
    }

    static func add(_ names: ServiceNames, to members: inout Members) {
        members.add("dns", list(names.servers))
        members.add("dns_opt", list(names.resolverOptions))
        members.add("dns_search", list(names.searchDomains))
        members.add("domainname", names.domain.map(text))
        members.add("external_links", list(names.externalLinks.map { joined($0.container, $0.alias) }))
        members.add("extra_hosts", hosts(names.extraHosts))
        members.add("links", list(names.links.map { joined($0.service.rawValue, $0.alias) }))
        members.add("mac_address", names.macAddress.map(text))
    }

    private static func joined(_ name: String, _ alias: String?) -> String {
        name + (alias.map { ":\($0)" } ?? "")
    }

    /// `name=address`, which is clear with IPv6 too.
    static func hosts(_ entries: [HostEntry]) -> YAMLValue? {
        list(entries.flatMap { entry in entry.addresses.map { "\(entry.name)=\($0)" } })
    }
}
