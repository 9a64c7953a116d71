import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleSupervisor
import EscaleTestSupport
import Synchronization
import Testing

/// What a command hears of a step that fails.
@Suite(.timeLimit(.minutes(2))) struct FailedStepTests {
    private let machine: StandInMachine
    private let daemon: Supervisor

    init() async throws {
        machine = try await StandInMachine()
        daemon = try await machine.daemon()
    }

    private func up(_ project: Project) async throws { _ = try await daemon.up(UpRequest(project: project)) { _ in } }

    private func running() async -> [String] {
        await daemon.containers(of: machine.project.name).filter { $0.state == .running }.map(\.name).sorted()
    }

    @Test("a start that was begun before a command and fails during it is tried again for it", arguments: [false, true])
    func hasATryOfItsOwn(hasRun: Bool) async throws {
        if hasRun {
            try await up(machine.project)
            _ = try await daemon.perform(machine.project.name, ServicesRequest(.stop)) { _ in }
        }
        let before = machine.state.withLock { state in
            state.isSlow = true
            state.failures = ["shop-web-1": 1]
            return state.starts
        }
        let first = Task { [machine] in try await up(machine.project) }
        while machine.state.withLock(\.starts) == before { try await Task.sleep(for: .milliseconds(5)) }
        first.cancel()
        await #expect(throws: (any Error).self) { try await first.value }
        let second = Task { [machine] in try await up(machine.project) }
        // By then it waits.
        try await Task.sleep(for: .milliseconds(200))
        machine.state.withLock { $0.isSlow = false }
        try await second.value
        #expect(await running() == ["shop-web-1"])
        #expect(machine.state.withLock(\.starts) == before + 2)
    }

    @Test("a stop for its health that was begun before a command ends nothing of the command's") func outlivesItsIllness() async throws {
        var project = machine.project
        var check = Healthcheck(test: .exec(["check"]))
        check.interval = .milliseconds(50)
        check.retries = 1
        project.services[0].healthcheck = check
        project.services[0].restart = .onFailure(retries: 0)
        try await up(project)
        machine.state.withLock { state in
            state.isSlow = true
            state.isIll = true
        }
        while await daemon.containers(of: project.name).first?.state != .stopping { try await Task.sleep(for: .milliseconds(5)) }
        let next = Task { [project] in try await up(project) }
        try await Task.sleep(for: .milliseconds(200))
        machine.state.withLock { state in
            state.isSlow = false
            state.isIll = false
        }
        try await next.value
        while await running().isEmpty { try await Task.sleep(for: .milliseconds(20)) }
        #expect(machine.state.withLock(\.starts) == 2)
    }

    @Test("a step that was begun for the command itself ends it") func endsItsOwn() async throws {
        machine.state.withLock { $0.failures = ["shop-web-1": 1] }
        let error = await #expect(throws: EscaleError.self) { try await up(machine.project) }
        #expect(error?.message == "shop-web-1 can't be started")
        try await up(machine.project)
        #expect(await running() == ["shop-web-1"])
    }

    @Test("what fails of a service that the release doesn't change ends the command") func isNobodyElsesMatter() async throws {
        var project = machine.project
        var other = project.services[0]
        other.name = ServiceName(rawValue: "db")
        project.services.insert(other, at: 0)
        try await up(project)
        // As long as the first release goes on the next one is about all that it is about.
        while try await daemon.releases(of: project.name).first?.state != .succeeded { try await Task.sleep(for: .milliseconds(20)) }
        machine.state.withLock { $0.failures = ["shop-db-2": 1] }
        project.services[0].replicas = 2
        project.services[1].environment["VERSION"] = "2"
        let error = await #expect(throws: EscaleError.self) { try await up(project) }
        #expect(error?.message == "shop-db-2 can't be started")
        try await up(project)
        #expect(await running() == ["shop-db-1", "shop-db-2", "shop-web-1"])
    }

    @Test("a release of what ended well before may end well again, however fast; of what ran, not") func endsWell() async throws {
        var project = machine.project
        var other = project.services[0]
        other.name = ServiceName(rawValue: "db")
        project.services.append(other)
        machine.state.withLock { $0.ends = ["shop-web-1": 0] }
        try await up(project)
        while await running() != ["shop-db-1"] { try await Task.sleep(for: .milliseconds(5)) }
        project.services[0].environment["VERSION"] = "2"
        try await up(project)
        #expect(try await daemon.releases(of: project.name).first?.state == .succeeded)
        machine.state.withLock { $0.ends = [:] }
        project.services[0].environment["VERSION"] = "3"
        try await up(project)
        #expect(await running() == ["shop-db-1", "shop-web-1"])
        machine.state.withLock { $0.ends = ["shop-web-1": 0] }
        project.services[0].environment["VERSION"] = "4"
        let error = await #expect(throws: EscaleError.self) { try await up(project) }
        #expect(error?.message.contains("it ended, with exit code 0") == true, "\(String(describing: error))")
    }

    @Test("a container that failed before a command has all its chances again after it") func startsOver() async throws {
        var project = machine.project
        project.services[0].restart = .onFailure(retries: 1)
        func crash() { machine.state.withLock { $0.running = [] } }
        func come(to count: Int) async throws {
            while machine.state.withLock({ $0.starts < count || $0.running.isEmpty }) { try await Task.sleep(for: .milliseconds(5)) }
            while await running().isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        }
        try await up(project)
        crash()
        try await come(to: 2)
        try await up(project)
        crash()
        try await come(to: 3)
        crash()
        while await daemon.containers(of: project.name).first?.state != .exited { try await Task.sleep(for: .milliseconds(5)) }
        try await Task.sleep(for: .milliseconds(500))
        #expect(machine.state.withLock(\.starts) == 3)
    }
}
