import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleGateway
import EscaleImages
import EscaleNetlink
import EscaleNetwork
import EscaleOCI
import EscaleSupervisor
import EscaleSystem
import EscaleTestSupport
import Synchronization

/// A machine on which containers only count as running: enough for what commands make of them, and write down.
final class StandInMachine: Sendable {
    struct State {
        var running: Set<ContainerID> = []
        var frozen: Set<ContainerID> = []
        /// Whether nothing can be written down.
        var isFull = false
        /// What the OCI runtime answers to `pause` and `resume`, and whether it has done it all the same.
        var refusal: EscaleError?
        var doesItAllTheSame = false
        /// What a former daemon's runtime will still do, unless it is ended.
        var late: (@Sendable (inout State) -> Void)?
        var processes: Int32 = 100
        var owners: [Int32: ContainerID] = [:]
        /// How often a container was to be started; those whose start fails, by name, and how often it still does.
        var starts = 0
        var started: [String] = []
        /// The exit codes of those whose program ends by itself, by name.
        var ends: [String: Int32] = [:]
        var failures: [String: Int] = [:]
        /// Whether nobody's start, stop or removal comes to an end.
        var isSlow = false
        var isIll = false
    }

    let state = Mutex(State())
    private let scratch: ScratchDirectory
    private let images: ImageStore
    let project: Project

    init() async throws {
        scratch = try ScratchDirectory()
        images = try ImageStore(root: try scratch.directory("images"))
        var config = ImageConfig(architecture: "amd64")
        config.config.command = ["program"]
        _ = try await images.createImage(config, layers: [], references: [try ImageReference("program")])
        var web = Service(name: ServiceName(rawValue: "web"))
        web.image = "program"
        project = Project(name: ProjectName(rawValue: "shop"), workingDirectory: "/", services: [web])
    }

    /// Starts a daemon; the one before is dead from then on.
    func daemon() async throws -> Supervisor {
        let engine = StandInEngine(
            machine: self,
            directories: EngineDirectories(
                state: scratch("state"), runtime: scratch("run"), layers: images.layersDirectory, instance: ""))
        guard let pool = IPv4Subnet("10.88.0.0/16") else { throw Broken(description: "no pool") }
        let platform = try await Platform(
            engine: engine, volumes: StandInVolumes(), images: images, controller: StandInNetwork(), gateway: StandInGateway(),
            instance: try NetworkInstance(id: "", pool: pool), log: Log(level: .silent),
            beforeWriting: { [self] in
                if state.withLock(\.isFull) { throw EscaleError(.init("store.full"), "the disk is full") }
            })
        let supervisor = Supervisor(platform: platform)
        try await supervisor.adopt()
        return supervisor
    }

    /// What the OCI runtime does to the container when it is told.
    fileprivate func tell(_ change: (inout State) -> Void) throws {
        try state.withLock { state in
            if state.refusal == nil || state.doesItAllTheSame { change(&state) }
            if let refusal = state.refusal { throw refusal }
        }
    }
}

private struct StandInEngine: ContainerEngine {
    let machine: StandInMachine
    let directories: EngineDirectories
    let facts = HostFacts(runtime: "crun", conmon: "conmon", cgroups: .v2, countsSwap: true)

    func newID() -> ContainerID {
        var generator = SystemRandomNumberGenerator()
        return ContainerID(using: &generator)
    }

    func create(_ blueprint: ContainerBlueprint, files: [String: String]) async throws -> ContainerProcesses {
        let pid = machine.state.withLock { state in
            state.processes += 2
            state.owners[state.processes] = blueprint.spec.id
            return state.processes
        }
        return ContainerProcesses(
            container: ProcessIdentity(pid: pid, startTicks: 1), conmon: ProcessIdentity(pid: pid + 1, startTicks: 1))
    }

    func start(_ id: ContainerID, name: String) async throws {
        machine.state.withLock { state in
            state.starts += 1
            state.started.append(name)
        }
        while machine.state.withLock(\.isSlow) { try await Task.sleep(for: .milliseconds(5)) }
        try machine.state.withLock { state in
            if let failures = state.failures[name], failures > 0 {
                state.failures[name] = failures - 1
                throw EscaleError(.init("container.start-failed"), "\(name) can't be started")
            }
            if state.ends[name] == nil { state.running.insert(id) }
        }
    }

    func exit(of blueprint: ContainerBlueprint, _ processes: ContainerProcesses) async throws -> ContainerExit {
        while machine.state.withLock({ $0.running.contains(blueprint.spec.id) }) { try await Task.sleep(for: .milliseconds(20)) }
        let code = machine.state.withLock { $0.ends[blueprint.name] } ?? 143
        return ContainerExit(code: code, outOfMemory: false, unseen: false)
    }

    func stop(_ processes: ContainerProcesses, signal: Int32, grace: Duration) async throws {
        while machine.state.withLock(\.isSlow) { try await Task.sleep(for: .milliseconds(5)) }
        machine.state.withLock { state in
            if let id = state.owners[processes.container.pid] { state.running.remove(id) }
        }
    }
    func signal(_ processes: ContainerProcesses, _ signal: Int32) {}

    func pause(_ id: ContainerID, name: String) async throws { try machine.tell { _ = $0.frozen.insert(id) } }
    func resume(_ id: ContainerID, name: String) async throws { try machine.tell { _ = $0.frozen.remove(id) } }

    func isFrozen(_ id: ContainerID) -> Bool? {
        machine.state.withLock { $0.running.contains(id) ? $0.frozen.contains(id) : nil }
    }

    func settle(_ id: ContainerID) async throws { machine.state.withLock { $0.late = nil } }

    func attachDirectory(of id: ContainerID) -> String { "/dev/null" }
    func usage(of id: ContainerID, pid: Int32) -> ContainerUsage { ContainerUsage() }
    func processes(of id: ContainerID) -> [ContainerProcess] { [] }
    func release(_ id: ContainerID) async throws {}
    func remove(_ id: ContainerID) async throws {
        while machine.state.withLock(\.isSlow) { try await Task.sleep(for: .milliseconds(5)) }
    }
    func sweep(keeping known: Set<ContainerID>) async throws {}
    func discard(_ id: ContainerID) async throws {}
    func discardProcesses(_ id: ContainerID) async throws {}
    func tidy() async {}

    func probe(_ arguments: [String], in container: ContainerSpec, timeout: Duration) async throws -> CommandResult {
        CommandResult(status: machine.state.withLock(\.isIll) ? 1 : 0, output: [], timedOut: false)
    }

    func run(
        _ command: ContainerCommand, as name: String, in container: ContainerSpec, outputLimit: Int, timeout: Duration?
    ) async throws -> CommandResult {
        CommandResult(status: 0, output: [], timedOut: false)
    }

    func execCommand(_ command: ContainerCommand, in container: ContainerSpec) throws(EscaleError) -> EscaleSystem.Command {
        throw EscaleError(.init("test.none"), "nothing is run here")
    }

    func log(of id: ContainerID) -> ContainerLogReader { ContainerLogReader(directory: "/dev/null") }
    func logTail(of id: ContainerID, lines: Int) -> String { "" }
    func memoryUsage(of id: ContainerID) -> ByteCount? { nil }
    func diskUsage(of id: ContainerID) -> ByteCount { ByteCount(0) }
}

private struct StandInVolumes: ContainerVolumes {
    func path(_ name: VolumeName) -> String { "/volumes/\(name)" }
    func create(_ name: VolumeName) async throws {}
    func remove(_ name: VolumeName) async throws {}
    func list() throws -> [VolumeName] { [] }
    func seed(_ name: VolumeName, from image: [String], at path: String) async throws {}
}

private struct StandInNetwork: HostNetwork {
    let hasIPv6 = false
    func attach(_ endpoint: Endpoint, networks: [AttachedNetwork], pid: Int32) async throws {}
    func resolver(for scope: ResolverScope) async throws -> IPv4Address { IPv4Address(rawValue: 0x0A00_0001) }
    func apply(_ state: NetworkState) async throws {}
    func verify() async throws -> Bool { false }
    func tearDown() async throws {}
    func connections(leavingOutFrom senders: Set<IPv4Address>) async throws -> ConnectionCounts { ConnectionCounts(ipv4: [:]) }
    func listener(on port: PortMapping) -> String? { nil }
    func complaint(of probe: ServiceProbe, at address: IPv4Address, timeout: Duration) async -> String? { nil }
    func answers(_ address: IPv4Address, _ port: UInt16) throws(EscaleError) -> Bool { true }
}

private struct StandInGateway: HostGateway {
    let accessLogFile = "/dev/null"
    func apply(_ state: GatewayState) async throws {}
    func verify() async throws -> Bool { false }
    func tearDown() async throws {}
    func sessions(of containers: [ContainerID]) async throws -> [ContainerID: Int] { [:] }
    func counters() async throws -> [ContainerID: ServerCounters] { [:] }
}
