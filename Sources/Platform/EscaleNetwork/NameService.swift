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
    func converge(
        _ records: [NetworkName: String], _ wanted: [IPv4Address: (networks: Set<NetworkName>, isOutward: Bool)],
        territory: [IPv4Subnet]
    ) async throws {
        let user = try await blocking {
            try Files.createDirectories(staging)
            for (network, text) in records { try write(text, of: network) }
            return isReadableByAll() ? "nobody" : "root"
        }
        try await withThrowingTaskGroup { group in
            for (address, resolver) in wanted {
                let process = process(address)
                let config = ResolverConfig(
                    address: address, recordDirectories: resolver.networks.map(self.records),
                    territory: territory, upstreamFile: resolver.isOutward ? upstreamFile : nil,
                    user: user, pidFile: process.pidFile)
                group.addTask { try await process.ensure(config, log: log) }
            }
            try await group.waitForAll()
        }
        try await removeResolvers(except: Set(wanted.keys))
        try await blocking {
            for name in try Files.list(recordsRoot) where records[NetworkName(rawValue: name)] == nil {
                try Files.remove("\(recordsRoot)/\(name)")
            }
        }
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
