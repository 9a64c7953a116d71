extension Service {
    /// The networks in the order in which the container gets its addresses: those of a higher `priority` first.
    package var orderedNetworks: [NetworkAttachment] {
        networks.enumerated().sorted {
            let (left, right) = ($0.element.options?.priority ?? 0, $1.element.options?.priority ?? 0)
            return left == right ? $0.offset < $1.offset : left > right
        }.map(\.element)
    }

    /// Whether the file names an address that its container has.
    var hasFixedAddress: Bool { networks.contains { $0.options?.ipv4Address != nil || $0.options?.ipv6Address != nil } }
}

extension Project {
    /// The addresses that services of the project have by the file, on one of its networks.
    package func fixedAddresses(on network: Network, _ kind: KeyPath<AttachmentOptions, String?>) -> Set<String> {
        Set(services.flatMap(\.networks).filter { $0.network == network.key }.compactMap { $0.options?[keyPath: kind] })
    }
}

extension Network {
    /// Whether its containers have IPv6 addresses, too.
    package var hasIPv6: Bool { options?.enablesIPv6 == true }
}
