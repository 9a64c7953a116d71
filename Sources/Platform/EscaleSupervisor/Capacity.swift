import EscaleCore
import EscaleEngine
import EscaleRelease
import EscaleSystem
import Glibc

/// Whether the machine has room for the replicas that a release runs beside those that serve.
extension ProjectSupervisor {
    /// Disk that has to be left, for layers' changes and logs.
    private static let spareDisk = ByteCount(64 << 20)

    /// Throws before anything is begun where a release would run out of memory or disk.
    ///
    /// Memory is judged by what the service's replicas use now; nothing is known of what the new version will need.
    func checkCapacity(_ made: ReleaseRecord) async throws {
        let engine = platform.engine
        let state = engine.directories.state
        let running = containers.values.filter { $0.processes != nil }
        let usage = try await blocking {
            Dictionary(running.map { ($0.id, engine.memoryUsage(of: $0.id)) }, uniquingKeysWith: { first, _ in first })
        }
        var needed: Int64 = 0
        for change in made.release.changes {
            let own = running.filter { $0.replica.service == change.service }.compactMap { usage[$0.id]??.rawValue }
            guard let most = own.max() else { continue }
            needed += most * Int64(change.surge)
        }
        let (free, disk) = try await blocking { (try Self.availableMemory(), Self.freeDisk(state)) }
        if let free, needed > free.rawValue {
            throw EscaleError(
                .init("release.capacity"),
                "the replicas that this release runs beside the present ones need about \(ByteCount(needed)), and \(free) of memory are free",
                hint: "lower `update_config.parallelism`, use `order: stop-first`, or free memory")
        }
        if let disk, disk < Self.spareDisk {
            throw EscaleError(
                .init("release.capacity"), "only \(disk) are free on the disk of \(state)",
                hint: "free space first: see `df -h \(state)`, remove images that nothing needs with `escale image rm`")
        }
    }

    private static func availableMemory() throws(EscaleError) -> ByteCount? {
        let lines = try Files.readText("/proc/meminfo").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("MemAvailable:") }
        return line.flatMap { Int64($0.split(separator: " ").dropFirst().first ?? "") }.map { ByteCount($0 << 10) }
    }

    private static func freeDisk(_ path: String) -> ByteCount? {
        var info = statvfs()
        guard statvfs(path, &info) == 0 else { return nil }
        return ByteCount(Int64(info.f_bavail) * Int64(info.f_frsize))
    }
}
