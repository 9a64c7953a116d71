import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleSupervisor
import EscaleTestSupport
import Synchronization
import Testing

/// What is known of a paused container, wherever its pause was cut short.
@Suite struct PauseTests {
    private let machine: StandInMachine
    private let refusal = EscaleError(.init("container.runtime-failed"), "the runtime refuses")

    init() async throws { machine = try await StandInMachine() }

    private func up(_ daemon: Supervisor) async throws { _ = try await daemon.up(UpRequest(project: machine.project)) { _ in } }

    private func tell(_ daemon: Supervisor, _ action: ServicesRequest.Action) async throws {
        _ = try await daemon.perform(machine.project.name, ServicesRequest(action)) { _ in }
    }

    /// What the daemon says of the only container.
    private func state(_ daemon: Supervisor) async -> ContainerSummary.State? {
        await daemon.containers(of: machine.project.name).first?.state
    }

    private var isFrozen: Bool { machine.state.withLock { !$0.frozen.isEmpty } }

    /// As somebody does it past the daemon, or as a daemon leaves it that is killed when it has just done so.
    private func setFrozen(_ isFrozen: Bool) { machine.state.withLock { $0.frozen = isFrozen ? $0.running : [] } }

    @Test("a pause that can't be written down isn't begun, nor is its end") func writesFirst() async throws {
        let daemon = try await machine.daemon()
        try await up(daemon)
        machine.state.withLock { $0.isFull = true }
        await #expect(throws: EscaleError.self) { try await tell(daemon, .pause) }
        #expect(!isFrozen)
        #expect(await state(daemon) == .running)
        machine.state.withLock { $0.isFull = false }
        try await tell(daemon, .pause)
        #expect(isFrozen)
        machine.state.withLock { $0.isFull = true }
        await #expect(throws: EscaleError.self) { try await tell(daemon, .unpause) }
        #expect(isFrozen)
        #expect(await state(daemon) == .paused)
    }

    @Test("where the runtime fails it is as the kernel says", arguments: [false, true])
    func believesTheKernel(doesIt: Bool) async throws {
        let daemon = try await machine.daemon()
        try await up(daemon)
        machine.state.withLock { [refusal] state in
            state.refusal = refusal
            state.doesItAllTheSame = doesIt
        }
        await #expect(throws: refusal) { try await tell(daemon, .pause) }
        #expect(isFrozen == doesIt)
        #expect(await state(daemon) == (doesIt ? .paused : .running))
        machine.state.withLock { $0.refusal = nil }
        try await tell(daemon, .pause)
        machine.state.withLock { [refusal] in $0.refusal = refusal }
        await #expect(throws: refusal) { try await tell(daemon, .unpause) }
        #expect(isFrozen != doesIt)
        #expect(await state(daemon) == (doesIt ? .running : .paused))
    }

    @Test("the next daemon takes what is frozen for paused, and up lets it go on") func findsFrozen() async throws {
        try await up(try await machine.daemon())
        setFrozen(true)
        let next = try await machine.daemon()
        #expect(await state(next) == .paused)
        try await up(next)
        #expect(!isFrozen)
        #expect(await state(next) == .running)
    }

    @Test("the next daemon takes what goes on for running") func findsGoingOn() async throws {
        let daemon = try await machine.daemon()
        try await up(daemon)
        try await tell(daemon, .pause)
        #expect(await state(try await machine.daemon()) == .paused)
        setFrozen(false)
        let next = try await machine.daemon()
        #expect(await state(next) == .running)
        // It is written down: the one after has nothing to find out.
        #expect(await state(try await machine.daemon()) == .running)
    }

    @Test("what a former daemon's runtime is about to do comes to nothing before it is believed") func settles() async throws {
        try await up(try await machine.daemon())
        setFrozen(true)
        machine.state.withLock { $0.late = { $0.frozen = [] } }
        let next = try await machine.daemon()
        machine.state.withLock { state in state.late?(&state) }
        #expect(await state(next) == .paused)
        #expect(isFrozen)
    }
}
