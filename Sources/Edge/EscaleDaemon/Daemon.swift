import EscaleAPI
import EscaleBuild
import EscaleCore
import EscaleEngine
import EscaleGateway
import EscaleHTTP
import EscaleImages
import EscaleNetwork
import EscaleRegistry
import EscaleSupervisor
import EscaleSystem
import FoundationEssentials
import Glibc
import Synchronization

/// `escaled`: one process a host (or a root) that keeps all projects as they shall be and serves the API.
package enum Daemon {
    /// Runs until it is told to end by SIGTERM, SIGINT or the API; returns its exit code.
    package static func run(_ arguments: [String], environment: [String: String]) async -> Int32 {
        Memory.limitArenas()
        do {
            let ending = try EndSignals()
            let options = try Options(arguments, environment)
            let systemd = SystemdHandover(environment: environment)
            guard geteuid() == 0 else {
                throw EscaleError(
                    .init("host.not-root"), "escaled has to run as root", hint: "run it with sudo, or as a systemd service")
            }
            let lock = try DaemonLock(options.root)
            defer { withExtendedLifetime(lock) {} }
            try await serve(options, ending, systemd)
            return 0
        } catch {
            let error = EscaleError(wrapping: error)
            try? FileDescriptor.standardError.write(error.rendered().utf8)  // nobody is left to tell
            return error.code == .usage ? 2 : 1
        }
    }

    private static func serve(_ options: Options, _ ending: EndSignals, _ systemd: SystemdHandover) async throws {
        let log = Log(level: options.isVerbose ? .debug : .info)
        let root = options.root
        let facts = try HostFacts.detect(environment: options.environment)
        let instance = try await claimInstance(root)
        let images = try await blocking { try ImageStore(root: "\(root.state)/images") }
        let directories = EngineDirectories(
            state: root.state, runtime: root.runtime, layers: images.layersDirectory, instance: instance.id)
        let controller = try NetworkController(
            instance: instance, runtimeDirectory: "\(root.runtime)/network", log: log)
        let gateway = try Gateway(directory: "\(root.runtime)/gateway", log: log)
        let platform = try await Platform(
            engine: Engine(facts: facts, directories: directories), volumes: VolumeStore(directories), images: images,
            controller: controller, gateway: gateway, instance: instance, log: log)
        let supervisor = Supervisor(platform: platform)
        try await supervisor.adopt()
        let registry = RegistryServer(store: images, file: "\(root.state)/registry.json")
        if let error = await registry.resume() { log.warning("the registry doesn't serve", ["reason": error.message]) }
        let api = API(
            supervisor: supervisor, platform: platform,
            builder: Builder(store: images, runner: ContainerBuildRunner(containers: supervisor.builds)),
            registries: Registries(store: images), registry: registry, root: root, pool: "\(instance.pool)", startedAt: .now,
            ending: ending)
        let server = HTTPServer(
            address: systemd.socket.map { .inherited(descriptor: $0) } ?? .unix(path: root.socket), handler: api.answer)
        try server.start()
        systemd.tellReady()
        log.info("ready", ["version": Version.current, "socket": root.socket, "runtime": facts.runtime])
        let patrol = Task { try await supervisor.patrol() }
        let guardian = Task { try await supervisor.guardRules() }
        let logBound = Task { try await OwnLog(path: root.log).keepBounded() }
        await ending.wait()
        log.info("ending")
        patrol.cancel()
        logBound.cancel()
        guardian.cancel()
        await server.stop()
        if await supervisor.summaries().isEmpty {
            try await blocking { try InstanceSlots().release(root: slotKey(root)) }
        }
        if ending.erases {
            try await blocking {
                for directory in [root.state, root.runtime] { try Files.remove(directory) }
            }
        }
    }

    /// The root's own names and addresses: those it had before, over a reboot too, as long as they are free.
    private static func claimInstance(_ root: EscaleRoot) async throws -> NetworkInstance {
        let file = "\(root.state)/instance.json"
        return try await blocking {
            // One that can't be read is as good as none: the addresses are given anew.
            let former = try? JSONDecoder().decode(NetworkInstance.self, from: Data(try Files.read(file)))
            let instance = try InstanceSlots().claim(root: slotKey(root), preferring: former)
            if instance != former { try Files.replace(file, try JSONEncoder().encode(instance)) }
            return instance
        }
    }

    private static func slotKey(_ root: EscaleRoot) -> String { root.directory ?? "/" }
}

extension Daemon {
    struct Options {
        var root: EscaleRoot
        var isVerbose = false
        let environment: [String: String]

        init(_ arguments: [String], _ environment: [String: String]) throws(EscaleError) {
            self.environment = environment
            var rest = arguments.dropFirst()
            var directory: String?
            while let argument = rest.popFirst() {
                switch argument {
                case "--root":
                    guard let value = rest.popFirst() else { throw Self.usage("--root needs a directory") }
                    directory = value
                case "--verbose": isVerbose = true
                case "--version":
                    print("escaled \(Version.current)")
                    exit(0)
                default: throw Self.usage("unknown argument \(argument)")
                }
            }
            root = EscaleRoot(option: directory, environment: environment)
        }

        private static func usage(_ message: String) -> EscaleError {
            EscaleError(.usage, message, hint: "escaled [--root DIRECTORY] [--verbose] [--version]")
        }
    }
}

/// Held as long as the process lives, so that there is one daemon a root.
private struct DaemonLock {
    private let file: FileDescriptor

    init(_ root: EscaleRoot) throws(EscaleError) {
        try Files.createDirectories(root.state, mode: 0o711)
        try Files.createDirectories(root.runtime, mode: 0o711)
        file = try FileDescriptor("\(root.runtime)/escaled.lock", O_RDWR | O_CREAT, mode: 0o600)
        guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
            throw EscaleError(
                .init("daemon.running"), "another escaled is running for \(root.runtime)",
                hint: "`escale version` shows it")
        }
    }
}

/// Waits for SIGTERM, SIGINT or the API's request to end. Made before any other thread, which inherit its mask.
final class EndSignals: Sendable {
    private let ended = Semaphore()
    private let erasing = Atomic(false)

    init() throws(EscaleError) {
        signal(SIGPIPE, SIG_IGN)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let ended = ended
        let waiting = set
        try startThread {
            var number: Int32 = 0
            var set = waiting
            while sigwait(&set, &number) != 0 {}
            ended.signal()
        }
    }

    /// Ends the daemon; if asked, with all that it keeps on disk.
    func request(erasing: Bool = false) {
        if erasing { self.erasing.store(true, ordering: .relaxed) }
        ended.signal()
    }

    var erases: Bool { erasing.load(ordering: .relaxed) }

    func wait() async {
        // Nothing in it throws.
        try? await onNewThread { [ended] in ended.wait() }
    }
}
