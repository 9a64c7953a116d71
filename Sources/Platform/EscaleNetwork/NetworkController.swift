package import EscaleCore
package import EscaleNetlink
package import EscaleSystem

/// The network of one instance: attaches containers and keeps the host as the latest state says.
///
/// Nothing of it lives in this process: after a restart the first ``apply(_:)`` adopts what is there.
package actor NetworkController {
    let instance: NetworkInstance
    private let directory: String
    let log: Log
    private let routing: HostRouting
    private let names: NameService
    let lookup: @Sendable (String) async -> HostAnswer?
    let lookupInterval: Duration
    var book: NetworkBook
    let tables: NFTables
    let watch: TableWatch
    private var mtu: Int?

    /// The latest state asked for that nobody has begun to enforce.
    private var wanted: NetworkState?
    private var callers: [CheckedContinuation<Void, any Error>] = []
    private var isBusy = false
    private var turns: [CheckedContinuation<Void, Never>] = []

    /// The latest state asked for, in force or not, the one in force, and the rules made from that.
    private(set) var latest: NetworkState?
    private var current: NetworkState?
    private var rules: [PacketTable]?

    /// Who asks for the addresses of hosts outside, by host, and those that have none.
    var followers: [String: Task<Void, Never>] = [:]
    var unanswered: Set<String> = []

    private var bookFile: String { "\(directory)/network.json" }

    /// - Parameters:
    ///   - runtimeDirectory: for what vanishes with a reboot; made here if need be.
    ///   - upstreamFile: names the servers that names outside are asked of.
    ///   - lookup: finds the addresses of hosts outside, which are asked for again and again: a managed database's name has
    ///     another address within seconds when another machine takes over.
    package init(
        instance: NetworkInstance, runtimeDirectory: String, upstreamFile: String = "/etc/resolv.conf",
        lookup: @escaping @Sendable (String) async -> HostAnswer? = { await HostLookup.answer(of: $0) },
        lookupInterval: Duration = .seconds(5), log: Log
    ) throws(EscaleError) {
        self.instance = instance
        self.lookup = lookup
        self.lookupInterval = lookupInterval
        self.log = log
        directory = runtimeDirectory
        try Files.createDirectories(runtimeDirectory)
        book = try NetworkBook.load("\(runtimeDirectory)/network.json", log: log)
        routing = HostRouting(instance: instance)
        tables = try NFTables()
        watch = try TableWatch(table: instance.table)
        names = NameService(directory: runtimeDirectory, upstreamFile: upstreamFile, log: log)
    }

    /// Whether the host has IPv6. Where it doesn't, containers have IPv4 addresses only.
    package nonisolated var hasIPv6: Bool { HostAddresses.hasIPv6 }

    /// Connects a created container, by its first process, before it is started. Many may be under way at a time.
    ///
    /// To be followed by an ``apply(_:)`` of a state with the endpoint; until then it has neither names nor a resolver.
    /// Nothing needs to be undone afterwards: the pair vanishes with the container's namespace.
    package func attach(_ endpoint: Endpoint, networks: [AttachedNetwork], pid: Int32) async throws {
        let endpoint = hasIPv6 ? endpoint : endpoint.withoutIPv6
        let attachment = try Attachment(endpoint, networks: networks, instance: instance)
        let mtu = try await preparedMTU()
        try await onNewThread { try attachment.perform(pid: pid, mtu: mtu) }
    }

    /// The address that containers of this scope have for a name server. Stable until a reboot.
    package func resolver(for scope: ResolverScope) throws -> IPv4Address {
        if let known = book[scope] { return known }
        let address = try book.resolver(for: scope, inUse: Self.scopes(of: latest), instance: instance)
        try saveBook()
        return address
    }

    /// Makes the state true: packet rules, names, resolvers. Returns when it, or a later one, is in force.
    ///
    /// Calls that come while one is at work are served together by the latest of them.
    package func apply(_ state: NetworkState) async throws {
        try await withCheckedThrowingContinuation { continuation in
            callers.append(continuation)
            let isFirst = wanted == nil
            wanted = state
            latest = state
            if isFirst { Task { await enforceWanted() } }  // not the caller's task: others wait for it too
        }
    }

    /// Looks whether what is in force still is, and repairs it: a reloaded host firewall takes our table with it.
    ///
    /// - Returns: whether there was something to repair.
    @discardableResult
    package func verify() async throws -> Bool {
        var isWhole = true
        try await inTurn {
            mtu = nil  // the way out may have changed
            guard let current else { return }
            let resolvers = Set(Self.scopes(of: current).compactMap { book[$0] })
            let ours = resolvers.union(current.gateways).union([instance.hostAddress])
            let gateways6 = current.gateways6
            let ours6 = gateways6.isEmpty ? [] : gateways6.union([instance.hostAddress6])
            let (hasTable, addresses, missing) = try await blocking { [names, instance, tables] in
                let hasTable6 = try ours6.isEmpty || tables.hasTable(instance.table, of: .v6)
                return (
                    try hasTable6 && tables.hasTable(instance.table),
                    try Self.missing(ours) + Self.missing(ours6),
                    names.missing(resolvers).map(\.description)
                )
            }
            if !hasTable { rules = nil }
            isWhole = hasTable && addresses.isEmpty && missing.isEmpty
            if !isWhole {
                log.warning(
                    "network found damaged",
                    [
                        "table": hasTable ? "there" : "gone", "addresses": addresses.joined(separator: ","),
                        "resolvers": missing.joined(separator: ","),
                    ])
                // In this turn: nothing that was torn down meanwhile comes back.
                try await enforce(current)
            }
        }
        return !isWhole
    }

    /// The addresses that the host should have and doesn't. Blocks.
    private static func missing<Address: IPAddress>(_ addresses: Set<Address>) throws(EscaleError) -> [String] {
        if addresses.isEmpty { return [] }
        return addresses.subtracting(try HostAddresses.assigned(Address.self).map(\.address)).sorted().map(\.description)
    }

    /// Makes the rules anew, whatever is left of them.
    func restoreRules() async throws {
        try await inTurn {
            guard let current else { return }
            log.warning("rules changed by others", ["table": instance.table])
            rules = nil
            try await enforce(current)
        }
    }

    /// Makes the state in force true with what has become known since.
    func enforceAgain() async throws {
        try await inTurn {
            if let current { try await enforce(current) }
        }
    }

    /// Removes everything of this instance but the containers' interfaces, which go with the containers.
    package func tearDown() async throws {
        try await inTurn {
            try await names.tearDown()
            let territory = book.territory
            let gateways = book.gateways ?? []
            let territory6 = book.territory6 ?? []
            let gateways6 = book.gateways6 ?? []
            try await blocking { [routing, instance, bookFile, tables] in
                try tables.run(PacketTable.removal(of: instance.table, .v4))
                try Self.removeTable6(instance.table, tables)
                try routing.removeRoutes(territory.union([instance.pool]))
                try routing.removeRoutes(territory6)
                try routing.removeAddresses(gateways, of: instance.reserved, except: [])
                try routing.removeAddresses(gateways6, of: instance.reserved6, except: [])
                try Files.remove(bookFile)
            }
            latest = nil
            current = nil
            rules = nil
            mtu = nil
            book = NetworkBook()
        }
    }

    // MARK: -

    private func enforceWanted() async {
        await followHosts(of: wanted)
        do {
            try await inTurn {
                guard let state = wanted else { return }
                let served = callers
                wanted = nil
                callers = []
                do {
                    try await enforce(state)
                    for caller in served { caller.resume() }
                } catch {
                    for caller in served { caller.resume(throwing: error) }
                }
            }
        } catch {
            log.error("network turn failed", ["error": "\(error)"])  // the closure throws nothing
        }
    }

    private func enforce(_ wanted: NetworkState) async throws {
        let isCut = !hasIPv6 && wanted.networks.contains { $0.ipv6 != nil }
        if isCut { log.warning("containers have no IPv6", ["because": "this host has it switched off"]) }
        let state = answered(isCut ? wanted.withoutIPv6 : wanted)
        let before = book
        var resolvers: [ResolverScope: IPv4Address] = [:]
        let scopes = Self.scopes(of: state)
        for scope in scopes { resolvers[scope] = try book.resolver(for: scope, inUse: scopes, instance: instance) }
        let ruleset = Ruleset(instance: instance, state: state, resolvers: resolvers)
        let wiring = HostWiring(ruleset.territory, listening: Set(resolvers.values).union(state.gateways), [instance.hostAddress])
        let wiring6 =
            ruleset.table6 == nil
            ? HostWiring<IPv6Address>() : HostWiring(ruleset.territory6, listening: state.gateways6, [instance.hostAddress6])
        book.territory.formUnion(wiring.territory)
        book.gateways = (book.gateways ?? []).union(state.gateways)
        if !wiring6.territory.isEmpty {
            book.territory6 = (book.territory6 ?? []).union(wiring6.territory)
            book.gateways6 = (book.gateways6 ?? []).union(wiring6.listening)
        }
        if book != before { try saveBook() }

        let tables = [ruleset.table, ruleset.table6].compactMap(\.self)
        let known = rules
        try await blocking { [routing, tables = self.tables, log, wanted = tables, name = instance.table] in
            try routing.prepare(wiring.territory.sorted())
            try routing.add(wiring.listening)
            if !wiring6.territory.isEmpty {
                try routing.prepare6(wiring6.territory.sorted())
                try routing.add(wiring6.listening)
            }
            for table in wanted { try Self.enforce(table, after: known?.first { $0.family == table.family }, tables, log) }
            if wanted.count == 1, known?.count != 1 { try Self.removeTable6(name, tables) }
        }
        rules = tables
        try await names.converge(
            state, resolvers, territory: wiring.territory.sorted(), territory6: ruleset.territory6)
        try await forgetFlows(from: current, to: state)
        try await removeFormer(wiring, wiring6, gateways: state.gateways)
        current = state
    }

    /// Takes away what former states had on the host.
    private func removeFormer(
        _ wiring: HostWiring<IPv4Address>, _ wiring6: HostWiring<IPv6Address>, gateways: Set<IPv4Address>
    ) async throws {
        let over = book.territory.subtracting(wiring.territory)
        let former = book.gateways ?? []
        let over6 = (book.territory6 ?? []).subtracting(wiring6.territory)
        let former6 = book.gateways6
        try await blocking { [routing, instance] in
            try routing.removeRoutes(over)
            try routing.removeAddresses(former, of: instance.reserved, except: wiring.kept)
            guard let former6 else { return }
            try routing.removeRoutes(over6)
            try routing.removeAddresses(former6, of: instance.reserved6, except: wiring6.kept)
        }
        let before = book
        book.territory = wiring.territory
        book.gateways = gateways
        book.territory6 = wiring6.territory.isEmpty ? nil : wiring6.territory
        book.gateways6 = wiring6.territory.isEmpty ? nil : wiring6.listening
        if book != before { try saveBook() }
    }

    /// Takes away a table of IPv6 rules that is there without need, such as a former daemon's.
    private nonisolated static func removeTable6(_ name: String, _ tables: NFTables) throws(EscaleError) {
        // A kernel without IPv6 has no such tables, and says so with an error.
        guard (try? tables.hasTable(name, of: .v6)) == true else { return }
        try tables.run(PacketTable.removal(of: name, .v6))
    }

    private nonisolated static func enforce(
        _ table: PacketTable, after known: PacketTable?, _ tables: NFTables, _ log: Log
    ) throws(EscaleError) {
        guard let known, let changes = table.changes(from: known) else {
            try tables.run(table.replacement)
            return
        }
        if changes.isEmpty { return }
        do {
            try tables.run(changes)
        } catch {
            // Somebody else wrote into our table.
            log.warning("rules replaced", ["because": "\(error)"])
            try tables.run(table.replacement)
        }
    }

    /// UDP senders stay with the receiver they have, so those whose receiver no longer is one have to be cut off.
    private func forgetFlows(from old: NetworkState?, to new: NetworkState) async throws {
        let change = FlowChange<IPv4Address>(from: old ?? NetworkState(), to: new)
        let change6 = FlowChange<IPv6Address>(from: old ?? NetworkState(), to: new)
        if change.isEmpty && change6.isEmpty { return }
        try await blocking {
            try Self.forget(change)
            try Self.forget(change6)
        }
    }

    private static func forget<Address>(_ change: FlowChange<Address>) throws(EscaleError) {
        if change.isEmpty { return }
        for flow in try UDPFlow<Address>.all() where change.outdates(flow) { try flow.forget() }
    }

    private static func scopes(of state: NetworkState?) -> Set<ResolverScope> {
        Set((state?.endpoints ?? []).filter { !$0.addresses.isEmpty }.map(\.scope))
    }

    private func preparedMTU() async throws -> Int {
        if let mtu { return mtu }
        let found = try await blocking { [routing, instance] in
            try routing.prepare([instance.pool])
            return try routing.mtu()
        }
        book.territory.insert(instance.pool)
        mtu = found
        return found
    }

    /// At once, so that saves keep their order: it is a small file in memory.
    func saveBook() throws { try book.save(bookFile) }

    /// Runs the work alone: applying and tearing down never overlap.
    private func inTurn(_ work: () async throws -> Void) async throws {
        if isBusy { await withCheckedContinuation { turns.append($0) } }
        isBusy = true
        defer {
            if turns.isEmpty { isBusy = false } else { turns.removeFirst().resume() }
        }
        try await work()
    }
}

/// What the host itself has of one kind of addresses, on `lo`: empty where it is to have nothing.
private struct HostWiring<Address: IPAddress>: Sendable {
    var territory: Set<IPSubnet<Address>> = []
    /// Resolvers and gateways.
    var listening: Set<Address> = []
    /// All that it is to keep.
    var kept: Set<Address> = []

    init() {}

    init(_ territory: [IPSubnet<Address>], listening: Set<Address>, _ own: Set<Address>) {
        self.territory = Set(territory)
        self.listening = listening
        kept = listening.union(own)
    }
}
