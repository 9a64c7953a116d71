import EscaleCore
import EscaleYAML

/// Names and addresses: resolvers, entries of `/etc/hosts`, links.
extension ServiceReader {
    func readNames(_ section: Section, into service: inout Service) {
        var names = ServiceNames()
        names.domain = section["domainname"].flatMap(hostName)
        names.servers = (section["dns"].map(oneOrMore) ?? []).compactMap(resolver)
        names.resolverOptions =
            section["dns_opt"]?.filledTexts(hint: "write a list such as [\"ndots:2\"]") ?? []
        names.searchDomains =
            section["dns_search"]?.oneOrMoreTexts(hint: "write a domain such as example.org") ?? []
        names.extraHosts = section["extra_hosts"].map(extraHosts) ?? []
        names.links = readLinks(section["links"], &service)
        let example = "write a list such as [container:alias]"
        names.externalLinks = (section["external_links"]?.items(hint: example) ?? []).compactMap { item in
            parts(of: item, hint: example).map { ExternalLink(container: $0.name, alias: $0.rest) }
        }
        names.macAddress = section["mac_address"].flatMap(macAddress)
        service.names = filled(names, unlike: ServiceNames())
        readVolumesFrom(section["volumes_from"], &service)
    }

    private func oneOrMore(_ field: Field) -> [Field] { field.texts() ?? [] }

    private func resolver(_ item: Field) -> String? {
        guard let text = item.filledText(hint: "write an address such as 9.9.9.9") else { return nil }
        if HostAddress.isValid(text) { return text }
        item.error(
            "compose.address",
            "\(item.path): \"\(text)\" is no IP address",
            hint: "name the server by its address, such as 9.9.9.9"
        )
        return nil
    }

    // MARK: Hosts

    /// By name; the addresses of a name in the order of the file.
    func extraHosts(_ field: Field) -> [HostEntry] {
        let example = "write - db.example.org=10.0.0.5, or db.example.org: 10.0.0.5"
        var hosts: [String: [String]] = [:]
        func add(_ name: String, _ addresses: [(text: String, field: Field)], at position: SourcePosition) {
            guard !name.isEmpty, !name.contains(where: { ":= ".contains($0) }) else {
                context.error(
                    "compose.extra-hosts",
                    name.isEmpty
                        ? "\(field.path): a name is missing" : "\(field.path): \"\(name)\" is no host name",
                    at: position,
                    hint: example
                )
                return
            }
            let valid = addresses.compactMap { hostAddress($0.text, $0.field, example: example) }
            guard valid.count == addresses.count, !valid.isEmpty else { return }
            hosts[name, default: []] += valid
        }
        if field.isMapping {
            for member in field.members() ?? [] {
                let addresses = (member.value.texts() ?? []).compactMap { item in
                    item.filledText(hint: example).map { (text: $0, field: item) }
                }
                add(member.key, addresses, at: member.position)
            }
            return Self.entries(hosts)
        }
        for item in field.items(hint: example) ?? [] {
            guard let text = item.filledText(hint: example) else { continue }
            guard let cut = text.firstIndex(of: "=") ?? text.firstIndex(of: ":") else {
                item.error("compose.extra-hosts", "\(item.path): \"\(text)\" has no address", hint: example)
                continue
            }
            let addresses = text[text.index(after: cut)...].split(
                separator: ",",
                omittingEmptySubsequences: false
            )
            add(String(text[..<cut]), addresses.map { (String($0), item) }, at: item.position)
        }
        return Self.entries(hosts)
    }

    /// By name, each address once.
    private static func entries(_ hosts: [String: [String]]) -> [HostEntry] {
        hosts.sorted { $0.key < $1.key }.map { name, addresses in
            var seen: Set<String> = []
            return HostEntry(name: name, addresses: addresses.filter { seen.insert($0).inserted })
        }
    }

    private func hostAddress(_ text: String, _ field: Field, example: String) -> String? {
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        if bare == "host-gateway" || HostAddress.isValid(bare) { return bare }
        field.error(
            "compose.address",
            "\(field.path): \"\(text)\" is no IP address",
            hint: "\(example); host-gateway stands for this machine"
        )
        return nil
    }

    // MARK: Links

    private func readLinks(_ field: Field?, _ service: inout Service) -> [ServiceLink] {
        let example = "write a list such as [db] or [\"db:database\"]"
        var links: [ServiceLink] = []
        for item in field?.items(hint: example) ?? [] {
            guard let (text, alias) = parts(of: item, hint: example) else { continue }
            let other = ServiceName(rawValue: text)
            let link = ServiceLink(service: other, alias: alias)
            if let alias, alias != text {
                context.refuse(
                    "\(item.path): \(text) under the name \(alias) is not supported yet",
                    at: item.position,
                    hint: "give \(text) the name itself: networks: {default: {aliases: [\(alias)]}}"
                )
            }
            links.append(link)
            depend(on: other, through: item, "links", restart: true, &service)
        }
        return links
    }

    private func readVolumesFrom(_ field: Field?, _ service: inout Service) {
        let example = "write a list such as [data, \"data:ro\", \"container:NAME\"]"
        var sources: [VolumesSource] = []
        for item in field?.items(hint: example) ?? [] {
            guard let text = item.filledText(hint: example) else { continue }
            var words = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            let isContainer = words.first == "container" && words.count > 1
            if isContainer { words.removeFirst() }
            guard let source = words.first, words.count <= 2, ServiceName.accepts(source),
                words.count == 1 || ["ro", "rw"].contains(words[1])
            else {
                item.error(
                    "compose.volumes-from",
                    "\(item.path): \"\(text)\" names no volumes",
                    hint: example
                )
                continue
            }
            let readOnly = words.count == 2 && words[1] == "ro"
            if isContainer {
                sources.append(VolumesSource(.container(source), readOnly: readOnly))
            } else {
                let other = ServiceName(rawValue: source)
                sources.append(VolumesSource(.service(other), readOnly: readOnly))
                depend(on: other, through: item, "volumes_from", restart: false, &service)
            }
        }
        service.volumesFrom = sources.filled
    }

    /// `NAME` or `NAME:REST`.
    private func parts(of item: Field, hint: String) -> (name: String, rest: String?)? {
        guard let text = item.filledText(hint: hint) else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, parts.allSatisfy(ServiceName.accepts) else {
            item.error("compose.link", "\(item.path): \"\(text)\" is no link", hint: hint)
            return nil
        }
        return (parts[0], parts.count == 2 ? parts[1] : nil)
    }

    // MARK: Hardware addresses

    /// Six bytes in hexadecimal, in lower case with colons.
    func macAddress(_ field: Field) -> String? {
        let example = "write six bytes such as 02:42:ac:11:65:43"
        guard let text = field.filledText(hint: example) else { return nil }
        let bytes = text.lowercased().replacing("-", with: ":").split(
            separator: ":",
            omittingEmptySubsequences: false
        )
        let values = bytes.map { $0.count == 2 ? UInt8($0, radix: 16) : nil }
        guard values.count == 6, values.allSatisfy({ $0 != nil }), let first = values[0] else {
            field.error("compose.mac", "\(field.path): \"\(text)\" is no MAC address", hint: example)
            return nil
        }
        guard first & 1 == 0 else {
            field.error(
                "compose.mac",
                "\(field.path): \"\(text)\" is the address of a group",
                hint: "the first byte must be even, such as 02"
            )
            return nil
        }
        return bytes.joined(separator: ":")
    }
}
