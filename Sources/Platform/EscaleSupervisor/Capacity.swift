import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleRelease
import EscaleSystem
import Glibc

/// Whether the machine has room for the replicas that a release runs beside those that serve.
extension ProjectSupervisor {
    /// Disk that has to be left, for layers' changes and logs.
    private static let spareDisk = ByteCount(64 << 20)

    /// Throws before anything is begun where a release would run out of memory, processors or disk.
    ///
    /// Memory is judged by what the service's replicas use now, and by `deploy.resources.reservations` if that is more;
    /// processors by reservations alone, those of the project's running containers included.
    func checkCapacity(_ made: ReleaseRecord) async throws {
        let engine = platform.engine
        let state = engine.directories.state
        let running = containers.values.filter { $0.processes != nil }
        let usage = try await blocking {
            Dictionary(running.map { ($0.id, engine.memoryUsage(of: $0.id)) }, uniquingKeysWith: { first, _ in first })
        }
        let before = Self.reservations(in: record?.project)
        let after = Self.reservations(in: made.project)
        let taken = running.reduce(0) { $0 + (before[$1.replica.service]?.cpus ?? 0) }
        var memory = 0.0  // what a file may reserve is more than Int64 holds, times the replicas
        var cpus = 0.0
        for change in made.release.changes where change.surge > 0 {
            let own = running.filter { $0.replica.service == change.service }.compactMap { usage[$0.id]??.rawValue }
            let reserved = after[change.service]
            memory += Double(max(own.max() ?? 0, reserved?.memory?.rawValue ?? 0)) * Double(change.surge)
            cpus += (reserved?.cpus ?? 0) * Double(change.surge)
        }
        let (free, disk) = try await blocking { (try Self.availableMemory(), Self.freeDisk(state)) }
        if let free, memory > Double(free.rawValue) {
            throw EscaleError(
                .init("release.capacity"),
                "the replicas that this release runs beside the present ones need about \(ByteCount(Int64(exactly: memory.rounded()) ?? .max)), and \(free) of memory are free",
                hint: "lower `update_config.parallelism`, use `order: stop-first`, or free memory")
        }
        let processors = Double(max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1))
        if cpus > 0, taken + cpus > processors {
            throw EscaleError(
                .init("release.capacity"),
                "the replicas that this release runs beside the present ones reserve \(Self.spoken(cpus)) CPUs, and of the machine's \(Self.spoken(processors)) \(Self.spoken(taken)) are reserved",
                hint: "lower `update_config.parallelism`, use `order: stop-first`, or lower `deploy.resources.reservations.cpus`")
        }
        if let disk, disk < Self.spareDisk {
            throw EscaleError(
                .init("release.capacity"), "only \(disk) are free on the disk of \(state)",
                hint: "free space first: see `df -h \(state)`, remove images that nothing needs with `escale image rm`")
        }
    }

    private static func reservations(in project: Project?) -> [ServiceName: DeployReservations] {
        let pairs = (project?.services ?? []).compactMap { service in
            service.deploy?.reservations.map { (service.name, $0) }
        }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// Without decimals where there are none to tell.
    private static func spoken(_ cpus: Double) -> String {
        cpus == cpus.rounded() && abs(cpus) < 1e9 ? "\(Int(cpus))" : "\((cpus * 100).rounded() / 100)"
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
