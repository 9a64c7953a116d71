import EscaleCore
import EscaleYAML

/// Published ports: the short and the long form, ranges spread to one mapping each.
extension ServiceReader {
    func readPorts(_ section: Section, into service: inout Service) {
        for item in section["ports"]?.items(hint: "write a list such as [\"8080:80\"]") ?? [] {
            let mappings = !item.isMapping ? shortPort(item) : longPort(item)
            guard service.ports.count + mappings.count <= Self.mostPorts else {
                item.error(
                    "compose.port.count",
                    "services.\(name) has more than \(Self.mostPorts) ports",
                    hint: "publish smaller ranges"
                )
                return
            }
            service.ports += mappings
            for mapping in mappings {
                guard let port = mapping.hostPort, mapping.lastHostPort == nil else { continue }
                context.publishedPorts.append(
                    .init(service: name, port: port, mapping: mapping, position: item.position)
                )
            }
        }
    }

    /// The TCP ports that `expose` names. They are reachable anyway; the gateway learns from them which one to ask.
    func exposedPorts(_ section: Section, into service: inout Service) -> [ClosedRange<UInt16>] {
        let forms = "write a port or a range such as \"8080\" or \"8080-8082/tcp\""
        var texts: [String] = []
        defer { service.exposed = texts.filled }
        return (section["expose"]?.items(hint: "write a list such as [\"8080\"]") ?? []).compactMap { item in
            guard let text = item.filledText(hint: forms) else { return nil }
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let ports = range(parts[0], item, what: "container port", hint: forms),
                let transport = parts.count == 2 ? self.transport(String(parts[1]), item) : .tcp
            else { return nil }
            guard ports.lowerBound > 0 else {
                _ = refuseZero(item)
                return nil
            }
            if !texts.contains(text) { texts.append(text) }
            return transport == .tcp ? ports : nil
        }
    }

    /// Enough for a wide range of media ports, and still a rule set that the kernel handles.
    private static let mostPorts = 20_000

    /// `[[address:]host:]container[/protocol]`.
    private func shortPort(_ item: Field) -> [PortMapping] {
        let forms =
            "write CONTAINER, HOST:CONTAINER or ADDRESS:HOST:CONTAINER, such as \"127.0.0.1:8080:80/tcp\""
        guard let text = item.filledText(hint: forms) else { return [] }
        let slash = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var transport = PortMapping.Transport.tcp
        if slash.count == 2 {
            guard let named = self.transport(String(slash[1]), item) else { return [] }
            transport = named
        }
        var rest = slash[0]
        let container = cutLast(&rest)
        let host = rest.isEmpty ? nil : cutLast(&rest)
        let address = rest.isEmpty ? nil : String(rest)
        if let address, !isAddress(address, item) { return [] }
        guard let target = range(container, item, what: "container port", hint: forms) else { return [] }
        guard target.lowerBound > 0 else { return refuseZero(item) }
        guard let host, !host.isEmpty else {
            return target.map {
                PortMapping(
                    hostAddress: address.map(unbracketed),
                    hostPort: nil,
                    containerPort: $0,
                    transport: transport
                )
            }
        }
        guard let published = range(host, item, what: "host port", hint: forms) else { return [] }
        return pair(published, target, address.map(unbracketed), transport, item)
    }

    /// Takes what follows the last colon outside brackets, or everything.
    private func cutLast(_ text: inout Substring) -> Substring {
        guard let colon = text.lastIndex(of: ":"), text.lastIndex(of: "]").map({ $0 < colon }) ?? true else {
            defer { text = "" }
            return text
        }
        defer { text = text[..<colon] }
        return text[text.index(after: colon)...]
    }

    private func longPort(_ item: Field) -> [PortMapping] {
        guard let section = item.section(.port) else { return [] }
        guard let targetField = section["target"] else {
            if !section.misspells("target") {
                item.error(
                    "compose.port.target",
                    "\(item.path) has no `target`",
                    hint: "name the container's port: target: 80"
                )
            }
            return []
        }
        guard let target = targetField.integer(in: 1...65535).flatMap(UInt16.init(exactly:)) else {
            return []
        }
        var transport = PortMapping.Transport.tcp
        if let field = section["protocol"] {
            guard let text = field.filledText(), let named = self.transport(text, field) else { return [] }
            transport = named
        }
        var address: String?
        if let field = section["host_ip"] {
            guard let text = field.filledText(), isAddress(text, field) else { return [] }
            address = unbracketed(text)
        }
        var mappings: [PortMapping]
        if let field = section["published"], let text = field.text(), !text.isEmpty {
            guard
                let published = range(
                    text[...],
                    field,
                    what: "host port",
                    hint: "write a port such as \"8080\""
                )
            else { return [] }
            mappings = pair(published, target...target, address, transport, field)
        } else {
            mappings = [
                PortMapping(hostAddress: address, hostPort: nil, containerPort: target, transport: transport)
            ]
        }
        let name = section["name"]?.filledText()
        let mode = section["mode"]?.choice(of: PublishingMode.self)
        let application = section["app_protocol"].flatMap { applicationProtocol($0, over: transport) }
        if application != nil, mappings.contains(where: { $0.lastHostPort != nil }) {
            item.error(
                "compose.port.range",
                "\(item.path): the gateway serves \(application?.rawValue ?? "") at one host port, not at any of a range",
                hint: "name one host port"
            )
        }
        for index in mappings.indices {
            mappings[index].name = name
            mappings[index].isOfHost = mode == .host ? true : nil
            mappings[index].applicationProtocol = application
        }
        return mappings
    }

    private enum PublishingMode: String, CaseIterable { case host, ingress }

    /// What the gateway is to speak; `nil` where it has no part in the port.
    private func applicationProtocol(
        _ field: Field,
        over transport: PortMapping.Transport
    ) -> ApplicationProtocol? {
        let possible = "possible are \(Field.listed(ApplicationProtocol.allCases.map(\.rawValue)))"
        guard let text = field.filledText(hint: possible)?.lowercased(), text != "tcp", text != "udp" else {
            return nil
        }
        guard let named = ApplicationProtocol(rawValue: text) else {
            let near = Suggestion.nearest(to: text, among: ApplicationProtocol.allCases.map(\.rawValue))
            field.warning(
                "compose.port.app-protocol",
                "\(field.path): \"\(text)\" is not spoken here; the port is served as plain \(transport.rawValue.uppercased())",
                hint: (near.map { "did you mean \($0)? " } ?? "") + possible
            )
            return nil
        }
        guard transport == .tcp else {
            field.error(
                "compose.port.app-protocol",
                "\(field.path): \(text) can't be served on a udp port",
                hint: "remove `protocol: udp`, or `app_protocol`"
            )
            return nil
        }
        return named
    }

    private func pair(
        _ host: ClosedRange<UInt16>,
        _ target: ClosedRange<UInt16>,
        _ address: String?,
        _ transport: PortMapping.Transport,
        _ item: Field
    ) -> [PortMapping] {
        guard host.count != target.count else {
            return zip(host, target).map { host, container in
                PortMapping(
                    hostAddress: address,
                    hostPort: host == 0 ? nil : host,
                    containerPort: container,
                    transport: transport
                )
            }
        }
        guard target.count == 1 else {
            item.error(
                "compose.port.range",
                "\(item.path): \(host.count) host port\(host.count == 1 ? "" : "s") for \(target.count) container ports",
                hint: "both ranges must be equally long, such as 8080-8082:80-82"
            )
            return []
        }
        var mapping = PortMapping(
            hostAddress: address,
            hostPort: host.lowerBound,
            containerPort: target.lowerBound,
            transport: transport
        )
        mapping.lastHostPort = host.upperBound
        return [mapping]
    }

    // MARK: Parts

    private func range(_ text: Substring, _ item: Field, what: String, hint: String) -> ClosedRange<UInt16>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        var ports: [UInt16] = []
        for end in ends {
            guard !end.isEmpty, end.utf8.allSatisfy({ (48...57).contains($0) }) else {
                item.error("compose.port", "\(item.path): \"\(text)\" is no \(what)", hint: hint)
                return nil
            }
            guard let port = UInt16(end) else {
                item.error(
                    "compose.port.range",
                    "\(item.path): \(what) \(end) is above 65535",
                    hint: "ports go from 1 to 65535"
                )
                return nil
            }
            ports.append(port)
        }
        guard let first = ports.first, let last = ports.last, ports.count <= 2 else {
            item.error("compose.port", "\(item.path): \"\(text)\" is no \(what)", hint: hint)
            return nil
        }
        guard first <= last else {
            item.error(
                "compose.port.range",
                "\(item.path): the range \(text) runs backwards",
                hint: "write \(last)-\(first)"
            )
            return nil
        }
        return first...last
    }

    private func refuseZero(_ item: Field) -> [PortMapping] {
        item.error(
            "compose.port.range",
            "\(item.path): container port 0 doesn't exist",
            hint: "ports go from 1 to 65535"
        )
        return []
    }

    private func transport(_ text: String, _ item: Field) -> PortMapping.Transport? {
        if let transport = PortMapping.Transport(rawValue: text.lowercased()) { return transport }
        item.error(
            "compose.port.protocol",
            "\(item.path): the protocol \"\(text)\" is not supported",
            hint: "possible are tcp and udp"
        )
        return nil
    }

    func isAddress(_ text: String, _ item: Field) -> Bool {
        if HostAddress.family(of: unbracketed(text)) == .v6 {
            item.warning(
                "compose.port.ipv6",
                "\(item.path): nothing is published at \(text), since ports are published by IPv4 only",
                hint: "publish at an IPv4 address such as 127.0.0.1, or leave the address out for all of them"
            )
            return true
        }
        if HostAddress.isValid(unbracketed(text)) { return true }
        item.error(
            "compose.port.address",
            "\(item.path): \"\(text)\" is not an address of this machine",
            hint: "write an IPv4 address such as 127.0.0.1, or an IPv6 address in brackets such as [::1]"
        )
        return false
    }

    private func unbracketed(_ text: String) -> String {
        text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
    }
}
