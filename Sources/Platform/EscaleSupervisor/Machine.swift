package import EscaleCompose
package import EscaleCore
package import EscaleEngine
package import EscaleGateway
package import EscaleNetlink
package import EscaleNetwork
package import EscaleOCI
package import EscaleSystem

/// What runs containers: ``Engine``, or a simulation of one.
package protocol ContainerEngine: Sendable {
    var facts: HostFacts { get }
    var directories: EngineDirectories { get }

    /// A name that no container has.
    func newID() -> ContainerID
    func create(_ blueprint: ContainerBlueprint, files: [String: String]) async throws -> ContainerProcesses
    func start(_ id: ContainerID, name: String) async throws
    func exit(of blueprint: ContainerBlueprint, _ processes: ContainerProcesses) async throws -> ContainerExit
    func hasEnded(_ processes: ContainerProcesses) -> Bool
    func stop(_ processes: ContainerProcesses, signal: Int32, grace: Duration) async throws
    /// Sends a signal to the container's first process; one that has ended is no error.
    func signal(_ processes: ContainerProcesses, _ signal: Int32)
    func pause(_ id: ContainerID, name: String) async throws
    func resume(_ id: ContainerID, name: String) async throws
    /// Whether the container's processes are frozen; `nil` where nothing tells. Blocks.
    func isFrozen(_ id: ContainerID) -> Bool?
    /// Ends what was begun and not ended to freeze the container, or to let it go on.
    func settle(_ id: ContainerID) async throws
    func attachDirectory(of id: ContainerID) -> String
    func usage(of id: ContainerID, pid: Int32) -> ContainerUsage
    func processes(of id: ContainerID) -> [ContainerProcess]
    func release(_ id: ContainerID) async throws
    func remove(_ id: ContainerID) async throws
    func sweep(keeping known: Set<ContainerID>) async throws
    func discard(_ id: ContainerID) async throws
    func discardProcesses(_ id: ContainerID) async throws
    func tidy() async
    func probe(_ arguments: [String], in container: ContainerSpec, timeout: Duration) async throws -> CommandResult
    func run(
        _ command: ContainerCommand, as name: String, in container: ContainerSpec, outputLimit: Int, timeout: Duration?
    ) async throws -> CommandResult
    func execCommand(_ command: ContainerCommand, in container: ContainerSpec) throws(EscaleError) -> Command
    func log(of id: ContainerID) -> ContainerLogReader
    func logTail(of id: ContainerID, lines: Int) -> String
    func memoryUsage(of id: ContainerID) -> ByteCount?
    func diskUsage(of id: ContainerID) -> ByteCount
}

extension ContainerEngine {
    package func hasEnded(_ processes: ContainerProcesses) -> Bool { false }
    package func logTail(of id: ContainerID) -> String { logTail(of: id, lines: 10) }
}

extension Engine: ContainerEngine {
    package func newID() -> ContainerID {
        var generator = SystemRandomNumberGenerator()
        return ContainerID(using: &generator)
    }
}

/// What keeps volumes: ``VolumeStore``, or a simulation of one.
package protocol ContainerVolumes: Sendable {
    func path(_ name: VolumeName) -> String
    func create(_ name: VolumeName) async throws
    func remove(_ name: VolumeName) async throws
    func list() throws -> [VolumeName]
    func seed(_ name: VolumeName, from image: [String], at path: String) async throws
}

extension VolumeStore: ContainerVolumes {}

/// What makes the host's rules, names and wires: ``NetworkController``, or a simulation of one.
package protocol HostNetwork: Sendable {
    /// Whether the host has IPv6, and so may its networks.
    var hasIPv6: Bool { get }
    func attach(_ endpoint: Endpoint, networks: [AttachedNetwork], pid: Int32) async throws
    func resolver(for scope: ResolverScope) async throws -> IPv4Address
    func apply(_ state: NetworkState) async throws
    func verify() async throws -> Bool
    /// Puts back at once what others change; until the task is cancelled.
    func guardRules() async throws
    /// Why the host's own firewall lets containers reach nobody; `nil` where it doesn't.
    func firewallWarning() async throws -> String?
    func tearDown() async throws
    /// Tracked connections by receiver, without those that these hosts began.
    func connections(leavingOutFrom senders: Set<IPv4Address>) async throws -> ConnectionCounts
    /// Describes the process that listens on the port of the host; `nil` where none does. Blocks.
    func listener(on port: PortMapping) -> String?
    /// Asks a container at its address; `nil` where it is well, else why it isn't.
    func complaint(of probe: ServiceProbe, at address: IPv4Address, timeout: Duration) async -> String?
    /// Whether somebody takes connections at the address of a container. Blocks for a moment at most.
    func answers(_ address: IPv4Address, _ port: UInt16) throws(EscaleError) -> Bool
}

/// How many connections there are by receiver.
package struct ConnectionCounts: Sendable {
    package var ipv4: [IPv4Address: Int]
    package var ipv6: [IPv6Address: Int]

    package init(ipv4: [IPv4Address: Int], ipv6: [IPv6Address: Int] = [:]) {
        self.ipv4 = ipv4
        self.ipv6 = ipv6
    }
}

extension HostNetwork {
    package func guardRules() async throws {}
    package func firewallWarning() async throws -> String? { nil }
}

extension NetworkController: HostNetwork {
    package func connections(leavingOutFrom senders: Set<IPv4Address>) async throws -> ConnectionCounts {
        try await blocking {
            ConnectionCounts(
                ipv4: try TCPConnections.counts(of: IPv4Address.self, leavingOutFrom: senders),
                ipv6: HostAddresses.hasIPv6 ? try TCPConnections.counts(of: IPv6Address.self) : [:])
        }
    }

    package nonisolated func listener(on port: PortMapping) -> String? { PortCheck.listener(on: port) }

    package nonisolated func complaint(
        of probe: ServiceProbe, at address: IPv4Address, timeout: Duration
    ) async -> String? {
        await NetworkProbe(probe, address: address, timeout: timeout).complaint()
    }

    package nonisolated func answers(_ address: IPv4Address, _ port: UInt16) throws(EscaleError) -> Bool {
        try PortCheck.answers(address, port)
    }
}

/// What serves HTTP for the projects: ``Gateway``, or a simulation of one.
package protocol HostGateway: Sendable {
    var accessLogFile: String { get }
    func apply(_ state: GatewayState) async throws
    func verify() async throws -> Bool
    func tearDown() async throws
    func sessions(of containers: [ContainerID]) async throws -> [ContainerID: Int]
    func counters() async throws -> [ContainerID: ServerCounters]
}

extension Gateway: HostGateway {}
