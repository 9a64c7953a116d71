import EscaleCore
import EscaleNetlink
import EscaleSystem
import FoundationEssentials

/// What has to be remembered beyond the daemon's life: which containers have which resolver, and routes to undo.
struct NetworkBook: Codable, Hashable, Sendable {
    struct Resolver: Codable, Hashable, Sendable {
        let scope: ResolverScope
        let address: IPv4Address
    }

    var resolvers: [Resolver] = []
    /// The blocks that have a route to `lo`.
    var territory: Set<IPv4Subnet> = []
    /// Networks' addresses of the host that are on `lo`.
    var gateways: Set<IPv4Address>?
    /// The same of IPv6.
    var territory6: Set<IPv6Subnet>?
    var gateways6: Set<IPv6Address>?
    /// What hosts outside were last found to be, so that their names stay when the daemon is replaced.
    var hosts: [String: HostAnswer]?

    subscript(scope: ResolverScope) -> IPv4Address? { resolvers.first { $0.scope == scope }?.address }

    /// The scope's address, given out now if it has none. Where all are taken, those of scopes not in use go.
    mutating func resolver(
        for scope: ResolverScope, inUse: Set<ResolverScope>, instance: NetworkInstance
    ) throws(EscaleError) -> IPv4Address {
        if let known = self[scope] { return known }
        var free = instance.freeResolver(excluding: Set(resolvers.map(\.address)))
        if free == nil {
            resolvers.removeAll { !inUse.contains($0.scope) }
            free = instance.freeResolver(excluding: Set(resolvers.map(\.address)))
        }
        guard let free else { throw .resolversExhausted(instance.reserved) }
        resolvers.append(Resolver(scope: scope, address: free))
        return free
    }

    /// Empty where there is no file. A file that can't be understood is set aside and said so.
    static func load(_ path: String, log: Log) throws(EscaleError) -> NetworkBook {
        guard Files.exists(path) else { return NetworkBook() }
        let bytes = try Files.read(path)
        do {
            return try JSONDecoder().decode(NetworkBook.self, from: Data(bytes))
        } catch {
            log.error("network records unreadable, starting afresh", ["path": path, "error": "\(error)"])
            try Files.replace("\(path).unreadable", bytes)
            return NetworkBook()
        }
    }

    func save(_ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try Files.replace(path, try encoder.encode(self))
    }
}
