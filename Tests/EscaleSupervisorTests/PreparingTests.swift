import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleSupervisor
import Synchronization
import Testing

/// `pre_start`: what has to be done before a service's containers start.
@Suite(.timeLimit(.minutes(2))) struct PreparingTests {
    private let machine: StandInMachine
    private let daemon: Supervisor

    init() async throws {
        machine = try await StandInMachine()
        daemon = try await machine.daemon()
        machine.state.withLock { state in
            for step in ["0", "1-1", "1-2", "2"] { state.ends["shop-web-pre_start-\(step)"] = 0 }
        }
    }

    /// Once, for each replica, once.
    private func project(replicas: Int = 2, version: String = "1") -> Project {
        var project = machine.project
        var hooks = ServiceHooks()
        hooks.preStart = [Hook(command: ["migrate"]), Hook(command: ["fill"]), Hook(command: ["check"])]
        hooks.preStart[1].runsForEachReplica = true
        project.services[0].hooks = hooks
        project.services[0].replicas = replicas
        project.services[0].environment["VERSION"] = version
        return project
    }

    private func up(_ project: Project) async throws { _ = try await daemon.up(UpRequest(project: project)) { _ in } }

    private func names() async -> [String] { await daemon.containers(of: machine.project.name).map(\.name).sorted() }

    /// What was started since.
    private func started(after count: Int = 0) -> [String] {
        machine.state.withLock { $0.started.dropFirst(count).map { String($0.dropFirst("shop-web-".count)) } }
    }

    @Test("each is done in its order before what it is for, once for the service or once for each replica") func order() async throws {
        try await up(project())
        let order = started()
        #expect(order.sorted() == ["1", "2", "pre_start-0", "pre_start-1-1", "pre_start-1-2", "pre_start-2"])
        func index(_ name: String) -> Int { order.firstIndex(of: name) ?? -1 }
        #expect(order.first == "pre_start-0")
        for slot in 1...2 { #expect(index("pre_start-1-\(slot)") < index("\(slot)"), "\(order)") }
        #expect(index("pre_start-2") < min(index("1"), index("2")), "\(order)")
        #expect(await names() == ["shop-web-1", "shop-web-2"])
    }

    @Test("what was done is not done again: not for more replicas, nor after a stop") func once() async throws {
        try await up(project(replicas: 1))
        let first = started().count
        try await up(project(replicas: 2))
        #expect(started(after: first) == ["pre_start-1-2", "2"])
        let second = started().count
        _ = try await daemon.perform(machine.project.name, ServicesRequest(.stop)) { _ in }
        try await up(project(replicas: 2))
        #expect(started(after: second).sorted() == ["1", "2"])
    }

    @Test("another version does it again, before its first container") func anotherVersion() async throws {
        try await up(project(replicas: 1))
        while try await daemon.releases(of: machine.project.name).first?.state != .succeeded { try await Task.sleep(for: .milliseconds(20)) }
        let first = started().count
        try await up(project(replicas: 1, version: "2"))
        #expect(started(after: first) == ["pre_start-0", "pre_start-1-1", "pre_start-2", "1"])
    }

    @Test("one that fails ends the command and stays to be looked at; the next command goes on from there") func failure() async throws {
        machine.state.withLock { $0.ends["shop-web-pre_start-2"] = 3 }
        let error = await #expect(throws: EscaleError.self) { try await up(project()) }
        #expect(error?.message == "service web: pre_start ended with exit code 3: check")
        #expect(!started().contains("1"))
        #expect(await names() == ["shop-web-1", "shop-web-2", "shop-web-pre_start-2"])
        let first = started().count
        machine.state.withLock { $0.ends["shop-web-pre_start-2"] = 0 }
        try await up(project())
        let again = started(after: first)
        #expect(again.first == "pre_start-2" && again.filter { $0 == "pre_start-2" }.count == 1, "\(again)")
        #expect(!again.contains("pre_start-0"))
        #expect(await names() == ["shop-web-1", "shop-web-2"])
    }

    @Test("one that can't be started ends the command") func startFailure() async throws {
        machine.state.withLock { $0.failures["shop-web-pre_start-0"] = 1 }
        let error = await #expect(throws: EscaleError.self) { try await up(project()) }
        #expect(error?.message == "shop-web-pre_start-0 can't be started")
        try await up(project())
        #expect(await names() == ["shop-web-1", "shop-web-2"])
    }

    @Test("one that nobody wants any more is ended") func unwanted() async throws {
        machine.state.withLock { $0.ends["shop-web-pre_start-0"] = nil }
        let command = Task { try await up(project()) }
        while machine.state.withLock({ $0.running.isEmpty }) { try await Task.sleep(for: .milliseconds(5)) }
        command.cancel()
        _ = await command.result
        _ = try await daemon.perform(machine.project.name, ServicesRequest(.stop)) { _ in }
        while await names().contains("shop-web-pre_start-0") { try await Task.sleep(for: .milliseconds(20)) }
        #expect(!started().contains("1"))
        try await daemon.down(machine.project.name, DownRequest()) { _ in }
        #expect(await names().isEmpty)
    }
}
