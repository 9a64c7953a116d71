import EscaleCore
import EscaleYAML

/// Reads `ipam`: the addresses of a network.
struct AddressReader {
    /// Whether the network's containers have IPv6 addresses, too.
    let hasIPv6: Bool

    func read(_ field: Field) -> AddressManagement? {
        let example = "write config: [{subnet: 172.28.0.0/16}]"
        guard let section = field.section(.ipam, hint: example) else { return nil }
        var result = AddressManagement()
        result.driver = section.text("driver")
        result.options = section["options"]?.options(example: "write key: value") ?? [:]
        var subnets: [Subnet] = []
        for item in section["config"]?.items(hint: example) ?? [] {
            guard let pool = item.section(.ipamPool, hint: example) else { continue }
            let (settings, subnet) = read(pool)
            if let subnet {
                if subnet.family == .v6 && !hasIPv6 {
                    pool["subnet"]?.warning(
                        "compose.ipam",
                        "\(item.path).subnet has no effect: the network has IPv4 addresses only",
                        hint: "write enable_ipv6: true beside ipam, or remove the subnet"
                    )
                } else if subnets.contains(where: { $0.family == subnet.family }) {
                    pool["subnet"]?.error(
                        "compose.ipam",
                        "\(item.path).subnet is a second \(subnet.family == .v4 ? "IPv4" : "IPv6") subnet, but a network has one",
                        hint: "write one subnet that is large enough, or a second network"
                    )
                    continue
                }
                subnets.append(subnet)
            }
            result.pools.append(settings)
        }
        return filled(result, unlike: AddressManagement())
    }

    private func read(_ section: Section) -> (AddressManagement.Pool, Subnet?) {
        var pool = AddressManagement.Pool()
        let subnet = section["subnet"].flatMap(subnet)
        if subnet != nil { pool.subnet = section.text("subnet") }
        if section["subnet"] == nil, let field = section["ip_range"] ?? section["gateway"] ?? section["aux_addresses"] {
            field.error(
                "compose.ipam",
                "\(field.path) says something about a subnet that isn't named",
                hint: "write `subnet` beside it, such as 172.28.0.0/16"
            )
        }
        if let field = section["ip_range"], let range = self.subnet(field) {
            pool.range = field.node.scalar?.text
            check(field, subnet.map { $0.contains(range) })
        }
        if let field = section["gateway"] { pool.gateway = address(field, in: subnet) }
        for member in section["aux_addresses"]?.members(hint: "write NAME: 172.28.1.5") ?? [] {
            pool.taken[member.key] = address(member.value, in: subnet)
        }
        return (pool, subnet)
    }

    private func subnet(_ field: Field) -> Subnet? {
        let example = "write an address and the number of its leading bits, such as 172.28.0.0/16"
        guard let text = field.filledText(hint: example) else { return nil }
        guard let subnet = Subnet(text) else {
            field.error("compose.ipam", "\(field.path): \"\(text)\" is no subnet", hint: example)
            return nil
        }
        if !subnet.holdsContainers {
            field.error(
                "compose.ipam",
                "\(field.path): no container can have an address in \(text)",
                hint: "use a private range with two or more free addresses, such as 172.28.0.0/16 or fd00:28::/64"
            )
        }
        if !subnet.isBase {
            field.error(
                "compose.ipam",
                "\(field.path): \"\(text)\" is an address inside its subnet and not the first one",
                hint: "set the bits behind the prefix to 0, such as 172.28.0.0/16"
            )
        }
        return subnet
    }

    private func address(_ field: Field, in subnet: Subnet?) -> String? {
        let example = "write an address such as 172.28.0.1"
        guard let text = field.filledText(hint: example) else { return nil }
        guard let bytes = HostAddress.bytes(of: text) else {
            field.error("compose.address", "\(field.path): \"\(text)\" is no IP address", hint: example)
            return nil
        }
        check(field, subnet.map { $0.contains(bytes) })
        return text
    }

    private func check(_ field: Field, _ isInside: Bool?) {
        guard isInside == false else { return }
        field.error(
            "compose.ipam",
            "\(field.path) lies outside of the subnet",
            hint: "choose one inside, or change `subnet`"
        )
    }
}
