import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleOCI
import EscaleSystem

/// Containers that share namespaces with others. Those must run first, and are found anew at each start.
extension ProjectSupervisor {
    /// The container's blueprint with the namespaces that it joins, its files of names, and the processes whose they are.
    func joining(
        _ container: ContainerRecord
    ) async throws -> (blueprint: ContainerBlueprint, files: [String: String], companions: [ProcessIdentity]?) {
        var blueprint = container.blueprint
        var named = container
        var companions: [ProcessIdentity] = []
        for (kind, mode) in container.namespaces?.joined ?? [] {
            let owner = try await owner(mode, of: kind, for: container)
            guard let processes = owner.processes else {
                throw EscaleError.ownerNotRunning(owner.name, kind, service: container.replica.service)
            }
            blueprint.spec.namespaces = blueprint.spec.namespaces ?? [:]
            blueprint.spec.namespaces?[kind] = .file("/proc/\(processes.container.pid)/ns/\(kind.file)")
            companions.append(processes.container)
            if kind == .ipc, let shared = PreparedMount.sharedMemory(of: owner, processes) {
                blueprint.spec.mounts.append(.init(.prepared(shared), target: "/dev/shm"))
            }
            if kind == .network {
                named = owner
                blueprint.spec.hostname = owner.blueprint.spec.hostname
            }
        }
        return (blueprint, try await platform.network.files(for: named), companions.filled)
    }

    /// The container whose namespace is to be joined: of a service's replicas the first that runs.
    private func owner(
        _ mode: NamespaceMode, of kind: NamespaceKind, for container: ContainerRecord
    ) async throws -> ContainerRecord {
        let service = container.replica.service
        switch mode {
        case .named(let name): throw EscaleError.ownerMissing(name, kind, service: service)
        case .service(let name):
            let replicas = containers.values.filter { $0.replica.service == name }
                .sorted { ($0.replica.slot, $1.replica.generation) < ($1.replica.slot, $0.replica.generation) }
            guard let owner = replicas.first(where: { $0.processes != nil }) ?? replicas.first else {
                throw EscaleError.ownerMissing("of service \(name)", kind, service: service)
            }
            return owner
        case .container(let name):
            guard let owner = await platform.network.container(named: name) else {
                throw EscaleError.ownerMissing(name, kind, service: service)
            }
            return owner
        }
    }

    /// Plans again where a running container's namespaces have lost their owner.
    func convergeIfStranded() {
        if containers.values.contains(where: { $0.processes != nil && $0.isStranded }) { converge() }
    }

    /// The name of a machine whose network a service has.
    func hostname(of service: Service) throws(EscaleError) -> String? {
        let namespaces = service.namespaces
        guard namespaces?.uts == .named("host") || namespaces?.network == .named("host") else { return nil }
        let name = try Files.readText("/proc/sys/kernel/hostname").filter { !$0.isWhitespace }
        return name.isEmpty ? nil : name
    }
}

extension ServiceNamespaces {
    private var modes: [(kind: NamespaceKind, mode: NamespaceMode?)] { [(.network, network), (.ipc, ipc), (.pid, pid), (.uts, uts)] }

    /// Those of other containers.
    var joined: [(kind: NamespaceKind, mode: NamespaceMode)] {
        modes.compactMap { kind, mode in
            switch mode {
            case .service, .container: mode.map { (kind, $0) }
            case .named, nil: nil
            }
        }
    }

    /// Those of the host.
    var ofHost: [NamespaceKind: NamespaceOwner]? {
        let kinds = modes.filter { $0.mode == .named("host") }.map(\.kind)
        return kinds.isEmpty ? nil : Dictionary(uniqueKeysWithValues: kinds.map { ($0, .host) })
    }
}

extension PreparedMount {
    /// `/dev/shm` of another container, which belongs to its IPC namespace; `nil` where it has none.
    fileprivate static func sharedMemory(of owner: ContainerRecord, _ processes: ContainerProcesses) -> PreparedMount? {
        if owner.blueprint.spec.hasSharedMemory == false { return nil }
        return PreparedMount(
            .ofProcess(processes.container.pid, path: "/dev/shm"), title: "the shared memory of \(owner.name)")
    }
}

extension ContainerRecord {
    /// Whether a container that it shares a namespace with has ended, so that the namespace is nobody's any more.
    var isStranded: Bool {
        companions?.contains { ProcessIdentity(pid: $0.pid) != $0 } ?? false
    }
}

extension NamespaceKind {
    /// What `/proc/PID/ns` calls it.
    fileprivate var file: String {
        switch self {
        case .network: "net"
        case .ipc, .pid, .uts: rawValue
        }
    }
}

extension Array {
    fileprivate var filled: Self? { isEmpty ? nil : self }
}

extension EscaleError {
    static func ownerMissing(_ name: String, _ kind: NamespaceKind, service: ServiceName) -> Self {
        Self(
            .init("namespace.owner-missing"),
            "service \(service): there is no container \(name), whose \(kind.rawValue) namespace it is to share",
            hint: "bring that up first; `escale ps -a` and `escale ls` show what there is")
    }

    static func ownerNotRunning(_ name: String, _ kind: NamespaceKind, service: ServiceName) -> Self {
        Self(
            .init("namespace.owner-not-running"),
            "service \(service): container \(name), whose \(kind.rawValue) namespace it is to share, is not running",
            hint: "start that first; `escale logs` shows why it ended")
    }
}
