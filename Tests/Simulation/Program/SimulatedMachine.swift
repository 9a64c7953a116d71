import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleGateway
import EscaleNetlink
import EscaleNetwork
import EscaleOCI
import EscaleStore
import EscaleSupervisor
import EscaleSystem
import EscaleTestSupport
import FoundationEssentials

/// The engine as one daemon sees it.
struct SimulatedEngine: ContainerEngine {
    let host: Host
    let daemon: Daemon
    let directories: EngineDirectories
    let facts = HostFacts(runtime: "crun", conmon: "conmon", cgroups: .v2, countsSwap: true)

    func newID() -> ContainerID { host.newID() }

    func create(_ blueprint: ContainerBlueprint, files: [String: String]) async throws -> ContainerProcesses {
        let id = blueprint.spec.id
        try host.admit(blueprint)
        let makers = host.containers[id]?.makers
        let isSlow = host.trouble(2)
        let fails = host.trouble(3)
        host.note("make \(host.title(id))")
        return try await daemon.call(within: isSlow ? 1000...30_000 : 1...60) { [host] in
            guard let container = host.containers[id], container.makers == makers else { throw Self.failed(blueprint.name, "it was killed") }
            if container.processes != nil { host.breaks("\(container.title) is made while it exists") }
            let processes = host.newProcesses()
            host.containers[id]?.processes = processes
            host.containers[id]?.phase = .created
            if fails && !host.isBenign { throw Self.failed(blueprint.name, "something went wrong") }
            return processes
        }
    }

    private static func failed(_ name: String, _ why: String) -> EscaleError {
        EscaleError(.init("container.start-failed"), "\(name) can't be started: \(why)")
    }

    func start(_ id: ContainerID, name: String) async throws {
        let makers = host.containers[id]?.makers
        let fails = host.trouble(2)
        try await daemon.call(within: host.trouble(2) ? 1000...29_000 : 1...60) { [host] in
            guard let container = host.containers[id], container.makers == makers else { throw Self.failed(name, "it was killed") }
            guard container.phase == .created else { throw Self.failed(name, "it is not there") }
            if fails && !host.isBenign { throw Self.failed(name, "something went wrong") }
            host.run(id)
        }
    }

    func exit(of blueprint: ContainerBlueprint, _ processes: ContainerProcesses) async throws -> ContainerExit {
        let id = blueprint.spec.id
        return try await daemon.answer { resume in
            host.whenEnded(processes, of: id) { [host] in
                var code: Int32?
                var ranOut = false
                if let container = host.containers[id], container.processes == processes,
                    case .ended(let own, let outOfMemory) = container.phase
                {
                    code = own
                    ranOut = outOfMemory
                }
                resume(.success(ContainerExit(code: code ?? 137, outOfMemory: ranOut, unseen: code == nil)))
            }
        }
    }

    func hasEnded(_ processes: ContainerProcesses) -> Bool {
        !host.containers.values.contains { $0.processes == processes && $0.isAlive }
    }

    func stop(_ processes: ContainerProcesses, signal: Int32, grace: Duration) async throws {
        try await daemon.answer { (resume: @escaping (Result<Void, any Error>) -> Void) in
            guard let container = host.containers.values.first(where: { $0.processes == processes }) else {
                return resume(.success(()))
            }
            host.note("stop \(container.title)")
            if container.isRunning, host.isBenign || container.nature != .stubborn {
                host.end(processes, of: container.id, after: host.random.time(0...800), code: 143)
            }
            host.time.after(grace) { [host, daemon] in
                if daemon.isAlive { host.end(processes, of: container.id, code: 137) }
            }
            host.whenEnded(processes, of: container.id) { resume(.success(())) }
        }
    }

    func release(_ id: ContainerID) async throws {
        try await daemon.call(within: 1...40) { [host] in host.release(id) }
    }

    func remove(_ id: ContainerID) async throws {
        let fails = host.trouble(1)
        try await daemon.call(within: 1...60) { [host] in
            host.release(id)
            if fails && !host.isBenign { throw EscaleError(.init("system.failed"), "a file can't be removed") }
            host.note("\(host.title(id)) is removed")
            host.containers[id] = nil
        }
    }

    func sweep(keeping known: Set<ContainerID>) async throws {
        for id in host.containers.keys.sorted() where !known.contains(id) { try await discard(id) }
    }

    func discard(_ id: ContainerID) async throws {
        try await discardProcesses(id)
        try await remove(id)
    }

    func discardProcesses(_ id: ContainerID) async throws {
        try await daemon.call(within: 1...60) { [host] in host.discard(id) }
        try await release(id)
    }

    func tidy() async {}

    func signal(_ processes: ContainerProcesses, _ signal: Int32) {
        guard daemon.isAlive, let container = host.containers.values.first(where: { $0.processes == processes }) else { return }
        host.note("signal \(signal) to \(container.title)")
        guard container.isRunning, signal == 9 || host.isBenign || container.nature != .stubborn else { return }
        host.time.after(host.random.time(0...300)) { [host] in
            if !host.isCalm { host.end(processes, of: container.id, code: 128 + signal) }
        }
    }

    func pause(_ id: ContainerID, name: String) async throws {
        try await tell(id, name) { $0.isPaused = true }
    }

    func resume(_ id: ContainerID, name: String) async throws {
        try await tell(id, name) { $0.isPaused = false }
    }

    /// What the OCI runtime does to a container that runs, also when the daemon is killed meanwhile.
    private func tell(_ id: ContainerID, _ name: String, _ change: @escaping @Sendable (inout SimulatedContainer) -> Void) async throws {
        let tellers = host.containers[id]?.tellers
        let fails = host.trouble(2)
        try await daemon.call(within: 1...30) { [host] in
            guard var container = host.containers[id], container.isRunning else { throw Self.failed(name, "it does not run") }
            guard container.tellers == tellers else { throw Self.failed(name, "the runtime was killed") }
            if fails && !host.isBenign { throw Self.failed(name, "the runtime refuses") }
            change(&container)
            host.containers[id] = container
            host.note("\(container.title) is \(container.isPaused ? "frozen" : "no longer frozen")")
        }
    }

    func isFrozen(_ id: ContainerID) -> Bool? { host.containers[id]?.isPaused }

    func settle(_ id: ContainerID) async throws {
        try await daemon.call(within: 0...5) { [host] in host.containers[id]?.tellers += 1 }
    }

    func attachDirectory(of id: ContainerID) -> String { "/dev/null" }
    func usage(of id: ContainerID, pid: Int32) -> ContainerUsage { ContainerUsage() }
    func processes(of id: ContainerID) -> [ContainerProcess] { [] }

    func probe(_ arguments: [String], in container: ContainerSpec, timeout: Duration) async throws -> CommandResult {
        if host.trouble(2) {
            let limit = timeout.nanoseconds / 1_000_000
            return try await daemon.call(within: limit...limit) { CommandResult(status: 137, output: [], timedOut: true) }
        }
        return try await daemon.call(within: 1...300) { [host] in
            CommandResult(status: host.isHealthy(container.id) ? 0 : 1, output: Array("checked\n".utf8), timedOut: false)
        }
    }

    func run(
        _ command: ContainerCommand, as name: String, in container: ContainerSpec, outputLimit: Int, timeout: Duration?
    ) async throws -> CommandResult {
        try await daemon.call(within: 1...300) { CommandResult(status: 0, output: [], timedOut: false) }
    }

    func execCommand(_ command: ContainerCommand, in container: ContainerSpec) throws(EscaleError) -> EscaleSystem.Command {
        throw EscaleError(.init("simulation.none"), "nothing is run in simulated containers")
    }

    func log(of id: ContainerID) -> ContainerLogReader { ContainerLogReader(directory: "/dev/null") }
    func logTail(of id: ContainerID, lines: Int) -> String { "words" }
    func memoryUsage(of id: ContainerID) -> ByteCount? { nil }
    func diskUsage(of id: ContainerID) -> ByteCount { ByteCount(0) }
}

struct SimulatedVolumes: ContainerVolumes {
    let host: Host
    let daemon: Daemon
    static let root = "/volumes"

    func path(_ name: VolumeName) -> String { "\(Self.root)/\(name)" }

    func create(_ name: VolumeName) async throws {
        try await daemon.call(within: 0...20) { [host] in _ = host.volumes.insert(name) }
    }

    func remove(_ name: VolumeName) async throws {
        try await daemon.call(within: 0...20) { [host] in
            for container in host.running where container.writes.contains(path(name)) {
                host.breaks("the volume \(name) is removed from under \(container.title)")
            }
            host.volumes.remove(name)
        }
    }

    func list() throws -> [VolumeName] { host.volumes.sorted() }

    func seed(_ name: VolumeName, from image: [String], at path: String) async throws {
        let fails = host.trouble(1)
        try await daemon.call(within: 0...100) { [host] in
            if fails && !host.isBenign { throw EscaleError(.init("volume.seed-failed"), "volume \(name) can't be filled") }
        }
    }
}

struct SimulatedNetwork: HostNetwork {
    let host: Host
    let daemon: Daemon
    let hasIPv6 = true

    func attach(_ endpoint: Endpoint, networks: [AttachedNetwork], pid: Int32) async throws {
        let fails = host.trouble(1)
        try await daemon.call(within: 0...20) { [host] in
            if fails && !host.isBenign { throw Self.failed }
            for address in endpoint.addresses {
                if let other = host.addresses[address.address].flatMap({ host.containers[$0] }), other.isAlive, other.id != endpoint.container {
                    host.breaks("\(host.title(endpoint.container)) gets the address of \(other.title)")
                }
                host.addresses[address.address] = endpoint.container
            }
        }
    }

    private static var failed: EscaleError { EscaleError(.init("network.failed"), "the kernel refused") }

    func resolver(for scope: ResolverScope) async throws -> IPv4Address { IPv4Address(rawValue: 0x0A00_0001) }

    func apply(_ state: NetworkState) async throws {
        let fails = host.trouble(1)
        try await daemon.call(within: 0...30) { [host] in
            if fails && !host.isBenign { throw Self.failed }
            host.network = state
        }
    }

    func verify() async throws -> Bool { false }
    func tearDown() async throws { try await daemon.call(within: 0...30) { [host] in host.network = nil } }

    func connections(leavingOutFrom senders: Set<IPv4Address>) async throws -> ConnectionCounts {
        try await daemon.call(within: 0...5) { [host] in
            var open: [IPv4Address: Int] = [:]
            for address in host.addresses.keys.sorted() where host.random.chance(90) { open[address] = 1 }
            return ConnectionCounts(ipv4: open)
        }
    }

    func complaint(of probe: ServiceProbe, at address: IPv4Address, timeout: Duration) async -> String? {
        guard let container = host.container(at: address), host.isHealthy(container.id) else { return "it does not answer" }
        return nil
    }

    func listener(on port: PortMapping) -> String? { nil }

    func answers(_ address: IPv4Address, _ port: UInt16) throws(EscaleError) -> Bool {
        guard let container = host.container(at: address) else { return false }
        return host.isBenign || container.nature != .deaf
    }
}

struct SimulatedGateway: HostGateway {
    let host: Host
    let daemon: Daemon
    let accessLogFile = "/dev/null"

    func apply(_ state: GatewayState) async throws {
        let fails = host.trouble(1)
        try await daemon.call(within: 0...10) { [host] in
            if fails && !host.isBenign { throw EscaleError(.init("gateway.failed"), "HAProxy refused") }
            host.gateway = state
        }
    }

    func verify() async throws -> Bool { false }
    func tearDown() async throws { try await daemon.call(within: 0...10) { [host] in host.gateway = nil } }
    func sessions(of containers: [ContainerID]) async throws -> [ContainerID: Int] { [:] }
    func counters() async throws -> [ContainerID: ServerCounters] { [:] }
}

// MARK: What the machine knows of a container

extension Host {
    func title(_ id: ContainerID) -> String { containers[id]?.title ?? id.short }

    /// Takes note of a container that is about to be made. It has to be written down by then.
    func admit(_ blueprint: ContainerBlueprint) throws {
        let id = blueprint.spec.id
        guard containers[id] == nil else { return }
        guard let record = try Records.container(id) else { return breaks("\(blueprint.name) is made and nobody wrote it down") }
        let writes = blueprint.spec.mounts.compactMap { mount -> String? in
            guard case .bind(let source) = mount.kind, !mount.readOnly, blueprint.spec.environment["SHARES"] == nil else { return nil }
            return source
        }
        containers[id] = SimulatedContainer(
            id: id, replica: record.replica, nature: Nature(rawValue: blueprint.spec.environment["NATURE"] ?? "") ?? .good,
            writes: writes, title: "\(record.replica.service)-\(record.replica.slot)@\(record.replica.generation)(\(id.rawValue.prefix(4)))")
    }

    func isHealthy(_ id: ContainerID) -> Bool {
        guard let container = containers[id], container.isRunning else { return false }
        if isBenign { return true }
        let age = time.elapsed - container.startedAt
        switch container.nature {
        case .neverHealthy: return false
        case .fallsIll: return age < 8_000_000_000
        case .good, .task, .failingTask, .crashesAtOnce, .crashesLater, .deaf, .stubborn: return age > 200_000_000
        }
    }
}

/// What the daemon wrote down, read past it.
enum Records {
    static nonisolated(unsafe) var database: Database?

    struct Container: Decodable {
        let id: ContainerID
        let replica: ReplicaID
    }

    static func container(_ id: ContainerID) throws -> Container? {
        try database?.query("SELECT record FROM container WHERE id = ?", id.rawValue).first
            .map { try JSONDecoder().decode(Container.self, from: Data(try $0.text("record").utf8)) }
    }

    /// The journal's entries: what was begun, and how it went.
    static func journal() throws -> [(step: String, outcome: String?)] {
        try database?.query("SELECT step, outcome FROM journal ORDER BY id")
            .map { (try $0.text("step"), try $0.optionalText("outcome")) } ?? []
    }

    static func count(_ table: String) throws -> Int64 {
        try database?.query("SELECT count(*) AS n FROM \(table)").first?.int64("n") ?? 0
    }
}
