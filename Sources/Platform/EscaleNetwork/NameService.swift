import EscaleCore
import EscaleNetlink
import EscaleSystem
import Glibc

/// The resolvers of one instance and the files they read, in a directory of their own.
struct NameService: Sendable {
    let directory: String
    let upstreamFile: String
    let log: Log

    private var recordsRoot: String { "\(directory)/names" }
    private var staging: String { "\(directory)/names.new" }
    private var resolversRoot: String { "\(directory)/resolvers" }

    private func records(of network: NetworkName) -> String { "\(recordsRoot)/\(network)" }

    private func process(_ address: IPv4Address) -> ResolverProcess {
        ResolverProcess(directory: "\(resolversRoot)/\(address)", address: address)
    }

    /// Makes names and resolvers as they shall be: records first, then new resolvers, then what is over goes.
    ///
    /// Who asks after this returns is answered from the new records: dnsmasq reads changed files before questions.
    func converge(
        _ state: NetworkState, _ wanted: [ResolverScope: IPv4Address], territory: [IPv4Subnet], territory6: [IPv6Subnet]
    ) async throws {
        var records: [NetworkName: String] = [:]
        for network in state.networks { records[network.name] = NameFiles.records(of: network.name, in: state) }
        let user = try await blocking { [records] in
            try Files.createDirectories(staging)
            for (network, text) in records { try write(text, of: network) }
            return isReadableByAll() ? "nobody" : "root"
        }
        try await withThrowingTaskGroup { group in
            for (scope, address) in wanted {
                let process = process(address)
                let config = ResolverConfig(
                    address: address, recordDirectories: scope.networks.filter { records[$0] != nil }.map(self.records), territory: territory,
                    territory6: territory6, upstream: upstream(of: scope, in: state), user: user, pidFile: process.pidFile,
                    localNamesFile: process.localNamesFile)
                let localNames = ResolverConfig.localNames(NameFiles.fullNames(of: scope.networks, in: state))
                group.addTask { try await process.ensure(config, localNames: localNames, log: log) }
            }
            try await group.waitForAll()
        }
        try await removeResolvers(except: Set(wanted.values))
        try await blocking { [records] in
            for name in try Files.list(recordsRoot) where records[NetworkName(rawValue: name)] == nil {
                try Files.remove("\(recordsRoot)/\(name)")
            }
        }
    }

    private func upstream(of scope: ResolverScope, in state: NetworkState) -> ResolverConfig.Upstream {
        guard state.networks.contains(where: { !$0.isInternal && scope.networks.contains($0.name) }) else { return .none }
        return scope.servers.isEmpty ? .file(upstreamFile) : .servers(scope.servers)
    }

    /// Ends every process and removes every file.
    func tearDown() async throws {
        try await removeResolvers(except: [])
        try await blocking { [recordsRoot, staging, resolversRoot] in
            for path in [recordsRoot, staging, resolversRoot] { try Files.remove(path) }
        }
    }

    /// The resolvers that should run and don't. Blocks.
    func missing(_ wanted: Set<IPv4Address>) -> [IPv4Address] {
        wanted.filter { !process($0).isRunning() }.sorted()
    }

    private func removeResolvers(except kept: Set<IPv4Address>) async throws {
        let names = try await blocking { try Files.list(resolversRoot) }
        for address in names.compactMap({ IPv4Address($0) }) where !kept.contains(address) {
            try await process(address).remove()
        }
    }

    /// In one step from elsewhere: dnsmasq reads every file that appears in its directory, half-written ones too.
    private func write(_ text: String, of network: NetworkName) throws(EscaleError) {
        let file = "\(records(of: network))/records"
        if let now = try? Files.readText(file), now == text { return }
        try Files.createDirectories(records(of: network))
        let new = "\(staging)/\(network)"
        try Files.write(new, text.utf8)
        try check("replace \(file)") { rename(new, file) }
    }

    /// Whether an unprivileged dnsmasq can reach the records; where it can't, it has to stay root.
    private func isReadableByAll() -> Bool {
        var path = recordsRoot
        while let slash = path.lastIndex(of: "/") {
            var info = stat()
            guard stat(path, &info) == 0, info.st_mode & 0o001 != 0 else { return false }
            path = String(path[..<slash])
        }
        return true
    }
}
