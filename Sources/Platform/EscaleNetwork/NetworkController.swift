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
    private var book: NetworkBook
    let tables: NFTables
    let watch: TableWatch
    private var mtu: Int?

    /// The latest state asked for that nobody has begun to enforce.
    private var wanted: NetworkState?
    private var callers: [CheckedContinuation<Void, any Error>] = []
    private var isBusy = false
    private var turns: [CheckedContinuation<Void, Never>] = []

    /// The latest state asked for, in force or not, the one in force, and the rules made from that.
    private var latest: NetworkState?
    private var current: NetworkState?
    private var rules: PacketTable?

    private var bookFile: String { "\(directory)/network.json" }

    /// - Parameters:
    ///   - runtimeDirectory: for what vanishes with a reboot; made here if need be.
    ///   - upstreamFile: names the servers that names outside are asked of.
    package init(
        instance: NetworkInstance, runtimeDirectory: String, upstreamFile: String = "/etc/resolv.conf", log: Log
    ) throws(EscaleError) {
        self.instance = instance
        self.log = log
        directory = runtimeDirectory
        try Files.createDirectories(runtimeDirectory)
        book = try NetworkBook.load("\(runtimeDirectory)/network.json", log: log)
        routing = HostRouting(instance: instance)
        tables = try NFTables()
        watch = try TableWatch(table: instance.table)
        names = NameService(directory: runtimeDirectory, upstreamFile: upstreamFile, log: log)
    }

    /// Connects a created container, by its first process, before it is started. Many may be under way at a time.
    ///
    /// To be followed by an ``apply(_:)`` of a state with the endpoint; until then it has neither names nor a resolver.
    /// Nothing needs to be undone afterwards: the pair vanishes with the container's namespace.
    package func attach(_ endpoint: Endpoint, networks: [AttachedNetwork], pid: Int32) async throws {
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
            let ours = resolvers.union(current.gateways)
            let (hasTable, addresses, missing) = try await blocking { [names, instance, tables] in
                let assigned = Set(try HostAddresses.assigned().map(\.address))
                return (
                    try tables.hasTable(instance.table),
                    ours.union([instance.hostAddress]).subtracting(assigned), names.missing(resolvers)
                )
            }
            if !hasTable { rules = nil }
            isWhole = hasTable && addresses.isEmpty && missing.isEmpty
            if !isWhole {
                func list(_ what: some Collection<IPv4Address>) -> String {
                    what.sorted().map(\.description).joined(separator: ",")
                }
                log.warning(
                    "network found damaged",
                    ["table": hasTable ? "there" : "gone", "addresses": list(addresses), "resolvers": list(missing)])
                // In this turn: nothing that was torn down meanwhile comes back.
                try await enforce(current)
            }
        }
        return !isWhole
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

    /// Removes everything of this instance but the containers' interfaces, which go with the containers.
    package func tearDown() async throws {
        try await inTurn {
            try await names.tearDown()
            let territory = book.territory
            let gateways = book.gateways ?? []
            try await blocking { [routing, instance, bookFile, tables] in
                try tables.run("add table ip \(instance.table)\ndelete table ip \(instance.table)\n")
                try routing.removeRoutes(territory.union([instance.pool]))
                try routing.removeAddresses(gateways, except: [])
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

    private func enforce(_ state: NetworkState) async throws {
        let before = book
        var resolvers: [ResolverScope: IPv4Address] = [:]
        let scopes = Self.scopes(of: state)
        for scope in scopes { resolvers[scope] = try book.resolver(for: scope, inUse: scopes, instance: instance) }
        let ruleset = Ruleset(instance: instance, state: state, resolvers: resolvers)
        let territory = Set(ruleset.territory)
        book.territory.formUnion(territory)
        let gateways = state.gateways
        book.gateways = (book.gateways ?? []).union(gateways)
        if book != before { try saveBook() }

        let table = ruleset.table
        let known = rules
        let listening = Set(resolvers.values).union(gateways)
        try await blocking { [routing, tables, log] in
            try routing.prepare(territory.sorted())
            try routing.add(listening)
            try Self.enforce(table, after: known, tables, log)
        }
        rules = table
        try await names.converge(state, resolvers, territory: territory.sorted())
        try await forgetFlows(from: current, to: state)

        let over = book.territory.subtracting(territory)
        let former = book.gateways ?? []
        try await blocking { [routing, instance] in
            try routing.removeRoutes(over)
            try routing.removeAddresses(former, except: listening.union([instance.hostAddress]))
        }
        if !over.isEmpty || former != gateways {
            book.territory.subtract(over)
            book.gateways = gateways
            try saveBook()
        }
        current = state
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
        let change = FlowChange(from: old ?? NetworkState(), to: new)
        if change.isEmpty { return }
        try await blocking {
            for flow in try UDPFlow.all() where change.outdates(flow) { try flow.forget() }
        }
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
    private func saveBook() throws { try book.save(bookFile) }

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
