package import EscaleCore
package import EscaleNetlink
package import EscaleSystem

/// The network of one instance: attaches containers and keeps the host as the latest state says.
///
/// Nothing of it lives in this process: after a restart the first ``apply(_:)`` adopts what is there.
package actor NetworkController {
    private let instance: NetworkInstance
    private let directory: String
    private let log: Log
    private let routing: HostRouting
    private let names: NameService
    private var book: NetworkBook
    private var tables: NFTables?
    private var mtu: Int?

    /// The latest state asked for that nobody has begun to enforce.
    private var wanted: NetworkState?
    private var callers: [CheckedContinuation<Void, any Error>] = []
    private var isBusy = false
    private var turns: [CheckedContinuation<Void, Never>] = []

    /// The latest state asked for, in force or not, the one in force, and the rules made from that.
    private var latest: NetworkState?
    private var current: NetworkState?
    private var rules: String?

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

    /// The address that containers on exactly these networks have for a name server. Stable until a reboot.
    package func resolver(for networks: Set<NetworkName>) throws -> IPv4Address {
        if let known = book[networks] { return known }
        let address = try book.resolver(for: networks, inUse: Self.sets(of: latest), instance: instance)
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
            guard current != nil else { return }
            let resolvers = Set(Self.sets(of: current).compactMap { book[$0] })
            let tables = try await packetFilter()
            let (hasTable, missing) = try await blocking { [names, instance] in
                (try tables.hasTable(instance.table), names.missing(resolvers))
            }
            if !hasTable { rules = nil }
            isWhole = hasTable && missing.isEmpty
            if !isWhole {
                let resolvers = missing.map(\.description).joined(separator: ",")
                log.warning("network found damaged", ["table": hasTable ? "there" : "gone", "resolvers": resolvers])
            }
        }
        guard !isWhole, let latest else { return false }
        try await apply(latest)
        return true
    }

    /// Removes everything of this instance but the containers' interfaces, which go with the containers.
    package func tearDown() async throws {
        try await inTurn {
            try await names.tearDown()
            let tables = try await packetFilter()
            let territory = book.territory
            try await blocking { [routing, instance, bookFile] in
                try tables.run("add table ip \(instance.table)\ndelete table ip \(instance.table)\n")
                try routing.removeRoutes(territory.union([instance.pool]))
                try routing.removeAddresses(except: [])
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
        var resolvers: [Set<NetworkName>: IPv4Address] = [:]
        let sets = Self.sets(of: state)
        for set in sets { resolvers[set] = try book.resolver(for: set, inUse: sets, instance: instance) }
        let ruleset = Ruleset(instance: instance, state: state, resolvers: resolvers)
        let territory = Set(ruleset.territory)
        book.territory.formUnion(territory)
        if book != before { try saveBook() }

        let text = ruleset.text
        let isNew = text != rules
        let tables = try await packetFilter()
        let listening = Set(resolvers.values)
        try await blocking { [routing] in
            try routing.prepare(territory.sorted())
            try routing.add(listening)
            if isNew { try tables.run(text) }
        }
        rules = text
        try await names.converge(
            Dictionary(
                state.networks.map { ($0.name, NameFiles.records(of: $0.name, in: state)) },
                uniquingKeysWith: { first, _ in first }),
            wantedResolvers(resolvers, state), territory: territory.sorted())

        let over = book.territory.subtracting(territory)
        try await blocking { [routing, instance] in
            try routing.removeRoutes(over)
            try routing.removeAddresses(except: listening.union([instance.hostAddress]))
        }
        if !over.isEmpty {
            book.territory.subtract(over)
            try saveBook()
        }
        current = state
    }

    private func wantedResolvers(
        _ resolvers: [Set<NetworkName>: IPv4Address], _ state: NetworkState
    ) -> [IPv4Address: (networks: Set<NetworkName>, isOutward: Bool)] {
        let outward = Set(state.networks.filter { !$0.isInternal }.map(\.name))
        var wanted: [IPv4Address: (networks: Set<NetworkName>, isOutward: Bool)] = [:]
        for (set, address) in resolvers { wanted[address] = (set, !set.isDisjoint(with: outward)) }
        return wanted
    }

    /// The sets of networks that containers are on.
    private static func sets(of state: NetworkState?) -> Set<Set<NetworkName>> {
        Set((state?.endpoints ?? []).filter { !$0.addresses.isEmpty }.map(\.networks))
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

    private func packetFilter() async throws -> NFTables {
        if let tables { return tables }
        let made = try await blocking { try NFTables() }
        tables = tables ?? made
        return made
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
