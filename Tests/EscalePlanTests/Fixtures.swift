import EscaleCompose
import EscaleCore
import EscalePlan

/// When the user asked in all of these tests.
let asked = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

func after(_ seconds: Double) -> Timestamp { asked + .milliseconds(Int64((seconds * 1000).rounded())) }

extension ServiceName: ExpressibleByStringLiteral {
    package init(stringLiteral text: String) { self.init(rawValue: text) }
}

extension NetworkName: ExpressibleByStringLiteral {
    package init(stringLiteral text: String) { self.init(rawValue: text) }
}

extension VolumeName: ExpressibleByStringLiteral {
    package init(stringLiteral text: String) { self.init(rawValue: text) }
}

/// A service with fingerprint `1`.
func service(
    _ name: ServiceName, replicas: Int = 1, after dependencies: [Dependency] = [], restart: RestartPolicy = .no,
    checked: Bool = false
) -> DesiredService {
    DesiredService(
        name: name, replicas: replicas, fingerprint: "1", dependencies: dependencies, restart: restart,
        isChecked: checked)
}

/// A container with fingerprint `1`, its ID made from its replica.
func container(
    _ service: ServiceName, _ slot: Int, _ phase: ObservedContainer.Phase, fingerprint: String = "1",
    health: ObservedContainer.Health? = nil, failures: Int = 0, wasStopped: Bool = false, twin: Bool = false
) -> ObservedContainer {
    ObservedContainer(
        id: ContainerID(rawValue: "\(service)\(slot)\(twin ? "b" : "a")"),
        replica: ReplicaID(service: service, slot: slot), fingerprint: fingerprint, phase: phase, health: health,
        failures: failures, wasStopped: wasStopped)
}

/// The service's first replica.
func container(
    _ service: ServiceName, _ phase: ObservedContainer.Phase, fingerprint: String = "1",
    health: ObservedContainer.Health? = nil, failures: Int = 0, wasStopped: Bool = false, twin: Bool = false
) -> ObservedContainer {
    container(
        service, 1, phase, fingerprint: fingerprint, health: health, failures: failures, wasStopped: wasStopped,
        twin: twin)
}

extension ObservedContainer.Phase {
    static let up = Self.running(since: after(1))
    static func ended(_ code: Int32, after seconds: Double = 2) -> Self { .exited(code: code, at: EscalePlanTests.after(seconds)) }
}

func up(_ services: DesiredService..., networks: [NetworkName] = [], volumes: [VolumeName] = [], removeOrphans: Bool = false)
    -> DesiredProject
{
    DesiredProject(
        goal: .up, requestedAt: asked, networks: networks, volumes: volumes, services: services,
        removeOrphans: removeOrphans)
}

extension DesiredProject {
    func with(_ goal: Goal) -> DesiredProject {
        var copy = self
        copy.goal = goal
        return copy
    }
}

func seen(_ containers: ObservedContainer..., networks: Set<NetworkName> = [], volumes: Set<VolumeName> = [])
    -> ObservedProject
{
    ObservedProject(networks: networks, volumes: volumes, containers: containers)
}

extension Plan {
    /// One line a step and a wait, as the tables state them: `start db-1 (ready)`, `web-1 waits for db to start`.
    var lines: [String] { steps.map(\.line) + waits.map { "\($0.replica) \($0)" } }
}

extension Step {
    var line: String { "\(action.line) (\(reason.line))" }
}

extension Step.Action {
    var line: String {
        switch self {
        case .createNetwork(let name): "create network \(name)"
        case .createVolume(let name): "create volume \(name)"
        case .create(let replica): "create \(replica)"
        case .start(_, let replica): "start \(replica)"
        case .drain(_, let replica): "drain \(replica)"
        case .undrain(_, let replica): "undrain \(replica)"
        case .stop(_, let replica): "stop \(replica)"
        case .remove(_, let replica): "remove \(replica)"
        case .removeNetwork(let name): "remove network \(name)"
        case .removeVolume(let name): "remove volume \(name)"
        }
    }
}

extension Reason {
    var line: String {
        switch self {
        case .missing: "missing"
        case .ready: "ready"
        case .changed: "changed"
        case .replaced: "replaced"
        case .surplus: "surplus"
        case .orphan: "orphan"
        case .elsewhere: "elsewhere"
        case .requested: "requested"
        case .ended(let code, let restart): "ended \(code), restart \(restart)"
        case .goingDown: "going down"
        case .unhealthy: "unhealthy"
        case .companionReplaced(let service): "\(service) was replaced"
        case .stranded: "stranded"
        }
    }
}

/// What the planner says at a moment, as lines.
func planned(_ desired: DesiredProject, _ observed: ObservedProject, at now: Timestamp = after(60)) -> [String] {
    plan(desired: desired, observed: observed, now: now).lines
}
