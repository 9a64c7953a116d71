import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleImages
import EscaleNetlink
import EscaleNetwork
import EscaleStore
import EscaleSupervisor
import EscaleSystem
import EscaleTestSupport

/// One run of a project's life: commands, faults and deaths of the daemon; then peace, a last command, and rest.
final class Schedule: @unchecked Sendable {
    let host: Host
    let ground: Ground
    private let time = VirtualTime.shared
    private var random: Seeded
    private var daemon: Daemon
    private var project: Project
    private var tickets: [Ticket] = []
    private var lives = 0
    private(set) var deaths = 0
    private(set) var commands = 0

    /// Many times what any schedule takes that comes to rest.
    private static let mostSteps = 200_000

    init(seed: UInt64, ground: Ground) throws {
        time.reset(seed: seed)
        self.ground = ground
        random = Seeded(seed &+ 1 << 32)
        host = Host(seed: seed &+ 2 << 32)
        daemon = Daemon(host: host, number: 0, lifeLeft: nil)
        project = random.project()
        try ground.clear()
    }

    /// - Throws: the rule that was broken.
    func run() throws {
        try begin()
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            try issue(command())
            if random.chance(30) { setClock(after: random.time(0...5000)) }
            try go(for: random.time(random.chance(40) ? 0...800 : 0...30_000))
        }
        try makePeace()
        if random.chance(20) { setClock(after: random.time(0...30_000)) }
        let last = lastCommand()
        guard try conclude(last) else { return }
        try Rest(host: host, project: project, last: last).check(try answer())
        try liveAgain(last)
    }

    // MARK: The daemon

    /// Starts a daemon, which may die at any of its first writes and calls.
    private func begin() throws {
        lives += 1
        let mayDie = !host.isBenign && random.chance(60)
        let life = mayDie ? Int.random(in: 0...(random.chance(50) ? 60 : 600), using: &random) : nil
        let daemon = Daemon(host: host, number: lives, lifeLeft: life)
        self.daemon = daemon
        host.note("a daemon begins")
        try Records.open(ground)
        BlockingWork.handOver { daemon.block($0) }
        let ground = ground
        let host = host
        Task {
            do {
                let engine = SimulatedEngine(host: host, daemon: daemon, directories: ground.directories)
                let platform = try await Platform(
                    engine: engine, volumes: SimulatedVolumes(host: host, daemon: daemon), images: ground.images,
                    controller: SimulatedNetwork(host: host, daemon: daemon),
                    gateway: SimulatedGateway(host: host, daemon: daemon), instance: ground.instance, log: ground.log,
                    beforeWriting: daemon.write)
                let supervisor = Supervisor(platform: platform)
                try await supervisor.adopt()
                daemon.supervisor = supervisor
                host.note("the daemon is ready")
            } catch {
                host.note("the daemon can't begin: \(error)")
                daemon.kill()
            }
        }
    }

    /// Lets things happen for some time; a daemon that dies meanwhile is followed by the next.
    private func go(for duration: Duration, until isOver: () -> Bool = { false }) throws {
        let limit = time.uptime + duration.nanoseconds
        while !isOver() {
            let hasMore = time.step(until: limit)
            if let fault = host.fault { throw Broken(description: fault) }
            if time.steps > Self.mostSteps { throw Broken(description: "it never comes to rest") }
            if !daemon.isAlive {
                try bury()
            } else if !hasMore {
                return
            }
        }
    }

    /// Somebody sets the clock on the wall, by a second or by days. Nothing that is done may depend on it, in peace neither.
    private func setClock(after delay: Duration) {
        let size = random.one(of: [1, 60, 3600, 86_400, 1_000_000] as [Int64])
        let distance = Duration.milliseconds(Int.random(in: -1000...1000, using: &random)) * Int(size)
        time.after(delay) { [host, time] in
            host.note("the clock is set by \(distance.seconds) s")
            time.jump(distance)
        }
    }

    private func bury() throws {
        deaths += 1
        time.abandonTasks()
        // Who was waiting for an answer hears nothing any more.
        for ticket in tickets where ticket.outcome == nil { ticket.outcome = "the daemon died" }
        let pause = random.time(0...(random.chance(50) ? 50 : 20_000))
        let limit = time.uptime + pause.nanoseconds
        while time.step(until: limit) {}
        if host.trouble(5) { host.meddle() }
        try begin()
    }

    // MARK: Commands

    private func command() -> Order {
        switch Int.random(in: 0..<24, using: &random) {
        case 0...11:
            if commands > 0 { random.edit(&project) }
            return up()
        case 12...13: return .stop(timeout: random.chance(50) ? nil : random.time(0...2000))
        case 14...15: return .down(removeVolumes: random.chance(50))
        case 16: return .rollback
        case 17...19: return .services(services())
        default: return .release(random.one(of: ReleaseCommand.Action.allCases))
        }
    }

    private func services() -> ServicesRequest {
        let actions: [ServicesRequest.Action] = [.start, .stop, .restart, .kill, .pause, .unpause, .remove]
        var request = ServicesRequest(random.one(of: actions), [], timeout: random.chance(50) ? nil : random.time(0...3000))
        if random.chance(70), let service = project.services.randomElement(using: &random) { request.services = [service.name] }
        request.stopsFirst = random.chance(50)
        request.removesVolumes = random.chance(30)
        request.leavesDependents = random.chance(30)
        request.signal = random.one(of: [nil, nil, "TERM", "HUP"])
        return request
    }

    private func up() -> Order {
        var request = UpRequest(project: project)
        request.wait = random.chance(30)
        request.waitTimeout = random.chance(20) ? random.time(0...20_000) : nil
        request.removeOrphans = random.chance(50)
        request.forceRecreate = random.chance(10)
        request.detachFromRelease = random.chance(20)
        request.withoutDependencies = random.chance(10)
        request.keepsExisting = random.chance(10)
        request.createsOnly = random.chance(10)
        request.renewsAnonymousVolumes = random.chance(10)
        request.strategy = random.chance(10) ? random.one(of: ReleaseSettings.Strategy.allCases) : nil
        if random.chance(20), let service = project.services.randomElement(using: &random) { request.services = [service.name] }
        return .up(request)
    }

    private func lastCommand() -> Order {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...6:
            for index in project.services.indices {
                project.services[index].release.promotesByHand = false
                project.services[index].release.steps = project.services[index].release.steps.map {
                    .init(weight: $0.weight, pause: .lasting(.seconds(1)))
                }
            }
            // What ends by itself is a task only where somebody waits for its end; else its release would fail, rightly.
            let awaited = Set(project.services.flatMap(\.dependencies).filter { $0.condition == .completed }.map(\.service))
            project.services.removeAll { $0.isTask && !awaited.contains($0.name) }
            return .up(UpRequest(project: project, removeOrphans: true))
        case 7: return .stop(timeout: nil)
        default: return .down(removeVolumes: random.chance(50))
        }
    }

    @discardableResult
    private func issue(_ command: Order) throws -> Ticket {
        // A command needs a daemon that answers: the client starts one and waits.
        try go(for: .seconds(3600)) { daemon.supervisor != nil && daemon.isAlive }
        guard let supervisor = daemon.supervisor else { throw Broken(description: "no daemon gets ready") }
        if host.isBenign || random.chance(40) { tickets.last?.task?.cancel() }  // whoever gave it stopped waiting
        commands += 1
        let ticket = Ticket()
        tickets.append(ticket)
        let (number, name, host) = (commands, project.name, host)
        host.note("command \(number): \(command)")
        ticket.task = Task {
            do {
                try await command.run(supervisor, name)
                ticket.outcome = ""
            } catch {
                ticket.outcome = EscaleError(wrapping: error).message
            }
            host.note("command \(number) ends: \(ticket.outcome == "" ? "done" : ticket.outcome ?? "")")
        }
        if !host.isBenign, random.chance(10) { time.after(random.time(0...3000)) { ticket.task?.cancel() } }
        return ticket
    }

    // MARK: The end

    /// From now on nothing goes wrong: what was ill gets well.
    private func makePeace() throws {
        host.note("peace")
        for ticket in tickets where ticket.outcome == nil { ticket.task?.cancel() }
        host.isCalm = true
        // What ended before is known by then: it ended before the last command, not after it.
        try go(for: .milliseconds(100))
        host.isBenign = true
        daemon.lifeLeft = nil
    }

    /// Carries the last command out; `false` where there is nothing to carry out.
    private func conclude(_ command: Order) throws -> Bool {
        var ticket = try issue(command)
        try go(for: .seconds(3600)) { ticket.outcome != nil }
        if ticket.outcome?.isEmpty == false {
            // It may have met what was still ill. Once everything has had its time to get well there is no excuse.
            try go(for: .seconds(120))
            ticket = try issue(command)
            try go(for: .seconds(3600)) { ticket.outcome != nil }
        }
        guard let outcome = ticket.outcome else { throw Broken(description: "\(command) doesn't end within an hour") }
        // A project that is not there, or that a release moves, can't be stopped.
        if case .stop = command, !outcome.isEmpty { return false }
        guard outcome.isEmpty else { throw Broken(description: "\(command) fails: \(outcome)") }
        try go(for: .seconds(120))
        return true
    }

    /// The next daemon finds everything as it shall be.
    private func liveAgain(_ last: Order) throws {
        let before = try Records.journal().count
        let running = host.running.map(\.title)
        daemon.kill()
        host.hasLostWrites = false  // the next one closes what was left open
        try bury()
        try go(for: .seconds(60))
        let entries = try Records.journal()
        if entries.count != before {
            throw Broken(description: "a daemon that begins at rest does \(entries.dropFirst(before).map(\.step))")
        }
        if host.running.map(\.title) != running {
            throw Broken(description: "a daemon that begins at rest changes what runs: \(host.running.map(\.title))")
        }
        try Rest(host: host, project: project, last: last).check(try answer())
    }

    private func answer() throws -> Answer {
        try go(for: .seconds(10)) { daemon.supervisor != nil }
        guard let supervisor = daemon.supervisor else { throw Broken(description: "no daemon gets ready") }
        let box = Box()
        let name = project.name
        Task { box.answer = Answer(containers: await supervisor.containers(of: name), releases: (try? await supervisor.releases(of: name)) ?? []) }
        try go(for: .seconds(10)) { box.answer != nil }
        guard let answer = box.answer else { throw Broken(description: "the daemon doesn't answer") }
        return answer
    }

    private final class Box: @unchecked Sendable { var answer: Answer? }
}

/// What the daemon says.
struct Answer {
    let containers: [ContainerSummary]
    let releases: [ReleaseSummary]
}

/// A command that was given, and what became of it: nothing yet, `""` for success, or why not.
final class Ticket: @unchecked Sendable {
    var outcome: String?
    var task: Task<Void, Never>?
}

enum Order: Sendable, CustomStringConvertible {
    case up(UpRequest)
    case stop(timeout: Duration?)
    case down(removeVolumes: Bool)
    case rollback
    case release(ReleaseCommand.Action)
    case services(ServicesRequest)

    func run(_ supervisor: Supervisor, _ project: ProjectName) async throws {
        switch self {
        case .up(let request): _ = try await supervisor.up(request) { _ in }
        case .stop(let timeout): _ = try await supervisor.perform(project, ServicesRequest(.stop, timeout: timeout)) { _ in }
        case .down(let volumes): try await supervisor.down(project, DownRequest(removeVolumes: volumes)) { _ in }
        case .rollback: _ = try await supervisor.rollback(project, RollbackRequest()) { _ in }
        case .release(let action): _ = try await supervisor.command(project, ReleaseCommand(action))
        case .services(let request): _ = try await supervisor.perform(project, request) { _ in }
        }
    }

    var description: String {
        switch self {
        case .up(let request):
            "up" + request.services.map { " \($0)" }.joined() + (request.wait ? " --wait" : "")
                + (request.forceRecreate ? " --force-recreate" : "") + (request.withoutDependencies ? " --no-deps" : "")
                + (request.keepsExisting ? " --no-recreate" : "") + (request.createsOnly ? " --no-start" : "")
                + (request.renewsAnonymousVolumes ? " --renew-anon-volumes" : "") + (request.removeOrphans ? " --remove-orphans" : "")
                + (request.detachFromRelease ? " --detach" : "") + (request.strategy.map { " --strategy \($0.rawValue)" } ?? "")
                + (request.waitTimeout.map { " --wait-timeout \($0)" } ?? "") + "\n" + request.project.outline
        case .stop(let timeout): "stop" + (timeout.map { " --timeout \($0)" } ?? "")
        case .down(let volumes): "down" + (volumes ? " --volumes" : "")
        case .rollback: "rollback"
        case .release(let action): "release \(action.rawValue)"
        case .services(let request):
            "\(request.action.verb)" + request.services.map { " \($0)" }.joined() + (request.stopsFirst ? " --stop" : "")
                + (request.removesVolumes ? " --volumes" : "") + (request.signal.map { " --signal \($0)" } ?? "")
        }
    }
}

extension Project {
    /// For people who look for what went wrong.
    var outline: String {
        services.map { service in
            let dependencies = service.dependencies.map { "\($0.service):\($0.condition.rawValue.dropFirst(8))\($0.required ? "" : "?")" }
            let release = service.release
            return "        \(service.name) ×\(service.replicas) v\(service.environment["VERSION"] ?? "") \(service.environment["NATURE"] ?? "")"
                + " restart=\(service.restart) after=\(dependencies) \(service.mounts.isEmpty ? "" : "mounts=\(service.mounts.map(\.target))")"
                + (service.healthcheck == nil ? "" : " checked") + (service.ports.isEmpty ? "" : " port")
                + (service.hooks?.preStart ?? []).map { $0.runsForEachReplica == true ? " prepared-each" : " prepared" }.joined()
                + " \(release.strategy.rawValue) \(service.update.map { "update(\($0.parallelism) \($0.failureAction) \($0.order.map { "\($0)" } ?? "-"))" } ?? "")"
        }.joined(separator: "\n")
    }
}
