import EscaleCore
import EscaleEngine
import EscaleGateway
import EscaleNetlink
import EscaleNetwork
import EscaleOCI
import EscaleSystem
import EscaleTestSupport

/// The machine: containers, volumes and rules, which outlive every daemon.
///
/// `@unchecked Sendable`, like everything here: there is one thread.
final class Host: @unchecked Sendable {
    let time = VirtualTime.shared
    var random: Seeded
    /// From some time on nothing goes wrong any more.
    var isBenign = false
    /// A little before that, nothing ends by itself any more: an end that the daemon hears of after the last command counts as
    /// one after it.
    var isCalm = false
    var containers: [ContainerID: SimulatedContainer] = [:]
    var volumes: Set<VolumeName> = []
    var network: NetworkState?
    var gateway: GatewayState?
    var addresses: [IPv4Address: ContainerID] = [:]
    private(set) var history: [String] = []
    /// The first rule that was broken.
    private(set) var fault: String?
    private var processes: Int32 = 100
    private var ids = 0

    init(seed: UInt64) { random = Seeded(seed) }

    /// Whether a write failed, so that the end of a step may stand nowhere.
    var hasLostWrites = false

    func note(_ line: String) {
        let milliseconds = time.elapsed / 1_000_000
        let fraction = String(milliseconds % 1000 + 1000).dropFirst()
        history.append("\(milliseconds / 1000).\(fraction)s  \(line)")
    }

    /// Something that must never be.
    func breaks(_ rule: String) {
        note("BROKEN: \(rule)")
        if fault == nil { fault = rule }
    }

    /// True so often while things go wrong.
    func trouble(_ percent: Int) -> Bool { !isBenign && random.chance(percent) }

    func newID() -> ContainerID {
        ids += 1
        return ContainerID(using: &random)
    }

    func newProcesses() -> ContainerProcesses {
        processes += 2
        return ContainerProcesses(
            container: ProcessIdentity(pid: processes, startTicks: UInt64(processes)),
            conmon: ProcessIdentity(pid: processes + 1, startTicks: UInt64(processes)))
    }

    // MARK: Containers

    /// Lets the container's program run, and decides what will become of it.
    func run(_ id: ContainerID) {
        guard let container = containers[id], let own = container.processes else { return }
        containers[id]?.phase = .running
        containers[id]?.startedAt = time.elapsed
        note("\(container.title) runs")
        checkCompany(of: id)
        let nature = container.nature
        if nature.isTask {
            time.after(random.time(50...3000)) { [self] in end(own, of: id, code: !isCalm && nature == .failingTask ? 1 : 0) }
            return
        }
        guard !isBenign else { return }
        switch nature {
        case .crashesAtOnce: crash(own, of: id, after: random.time(1...400))
        case .crashesLater: crash(own, of: id, after: random.time(500...40_000))
        case .good, .neverHealthy, .fallsIll, .deaf, .stubborn, .task, .failingTask: break
        }
    }

    private func crash(_ own: ContainerProcesses, of id: ContainerID, after delay: Duration) {
        let code = random.one(of: [1, 2, 137, 139] as [Int32])
        time.after(delay) { [self] in
            guard !isCalm else { return }
            end(own, of: id, code: code)
        }
    }

    func end(_ own: ContainerProcesses, of id: ContainerID, after delay: Duration, code: Int32) {
        time.after(delay) { [self] in end(own, of: id, code: code) }
    }

    /// Ends the container's processes, if they still are these.
    func end(_ own: ContainerProcesses, of id: ContainerID, code: Int32?, outOfMemory: Bool = false) {
        guard var container = containers[id], container.processes == own, container.isAlive else { return }
        container.phase = .ended(code: code, outOfMemory: outOfMemory)
        container.isPaused = false
        note("\(container.title) ends with \(code.map(String.init) ?? "no word")")
        let waiting = container.waiting
        container.waiting = []
        containers[id] = container
        for resume in waiting { time.after(random.time(0...20), resume) }
    }

    /// Calls back once these processes are no more.
    func whenEnded(_ own: ContainerProcesses, of id: ContainerID, _ resume: @escaping () -> Void) {
        guard let container = containers[id], container.processes == own, container.isAlive else {
            return time.after(random.time(0...5), resume)
        }
        containers[id]?.waiting.append(resume)
    }

    /// Somebody freezes containers, or lets them go on, without asking anybody.
    func meddle() {
        for container in running where random.chance(30) {
            containers[container.id]?.isPaused.toggle()
            note("somebody \(container.isPaused ? "unfreezes" : "freezes") \(container.title)")
        }
    }

    /// What `crun delete --force` does.
    func release(_ id: ContainerID) {
        guard let container = containers[id] else { return }
        if let own = container.processes { end(own, of: id, code: 137) }
        containers[id]?.processes = nil
        containers[id]?.phase = .absent
    }

    func discard(_ id: ContainerID) {
        containers[id]?.makers += 1
        release(id)
    }

    /// The running one at the address.
    func container(at address: IPv4Address) -> SimulatedContainer? {
        addresses[address].flatMap { containers[$0] }.flatMap { $0.isRunning ? $0 : nil }
    }

    var running: [SimulatedContainer] { containers.values.filter(\.isRunning).sorted { $0.title < $1.title } }

    // MARK: Rules

    /// What must hold whenever a container begins to run.
    private func checkCompany(of id: ContainerID) {
        guard let new = containers[id] else { return }
        for other in running where other.id != id && other.replica.service == new.replica.service {
            if other.replica == new.replica { breaks("two containers of \(new.replica) run") }
            let shared = Set(new.writes).intersection(other.writes)
            if !shared.isEmpty && other.replica.generation != new.replica.generation {
                breaks("\(new.title) and \(other.title) write the volume \(shared.sorted()[0])")
            }
        }
        let twins = running.filter { $0.replica.service == new.replica.service && $0.replica.slot == new.replica.slot }
        if twins.count > 2 { breaks("slot \(new.replica.slot) of \(new.replica.service) has \(twins.map(\.title))") }
    }
}

/// How the program of a version behaves, as long as things may go wrong.
enum Nature: String, CaseIterable {
    case good
    /// Does its work and ends.
    case task
    case failingTask
    case crashesAtOnce
    case crashesLater
    case neverHealthy
    case fallsIll
    case deaf
    /// Ends by nothing but SIGKILL.
    case stubborn

    var isTask: Bool { self == .task || self == .failingTask }
}

struct SimulatedContainer {
    enum Phase: Equatable {
        /// Its files may be there; nothing of it runs.
        case absent
        case created
        case running
        case ended(code: Int32?, outOfMemory: Bool)
    }

    let id: ContainerID
    let replica: ReplicaID
    let nature: Nature
    /// Volumes that it writes and that no other version may write meanwhile.
    let writes: [String]
    /// As the project calls it, with its version.
    let title: String
    var phase = Phase.absent
    var isPaused = false
    var processes: ContainerProcesses?
    var startedAt: Int64 = 0
    /// Changes when whoever makes it is killed: what they had begun comes to nothing.
    var makers = 0
    /// The same of whoever freezes it or lets it go on.
    var tellers = 0
    var waiting: [() -> Void] = []

    var isRunning: Bool { phase == .running }
    var isAlive: Bool { phase == .running || phase == .created }
}
