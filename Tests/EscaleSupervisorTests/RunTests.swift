import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleSupervisor
import Synchronization
import Testing

/// Containers that one command is run in.
@Suite(.timeLimit(.minutes(2))) struct RunTests {
    @Test("who waits for the end of one that goes with it hears of it when it is gone, and afterwards too") func goesFirst() async throws {
        let machine = try await StandInMachine()
        let daemon = try await machine.daemon()
        var request = RunRequest(project: machine.project, service: machine.project.services[0])
        request.isRemovedAtExit = true
        let container = try await daemon.prepareRun(request) { _ in }
        let id = container.id.rawValue
        try await daemon.startContainer(id)
        machine.state.withLock { state in
            state.isSlow = true
            state.running = []
        }
        func isThere() async -> Bool { await daemon.containers(of: machine.project.name).contains { $0.id == container.id } }
        while await daemon.containers(of: machine.project.name).first?.state == .running { try await Task.sleep(for: .milliseconds(5)) }
        let waiting = Task { () -> (code: Int32, wasThere: Bool) in
            let code = try await daemon.awaitEnd(of: id).exitCode
            return (code, await isThere())
        }
        try await Task.sleep(for: .milliseconds(200))
        #expect(await isThere())
        machine.state.withLock { $0.isSlow = false }
        let heard = try await waiting.value
        #expect(heard.code == 143)
        #expect(!heard.wasThere)
        #expect(try await daemon.awaitEnd(of: id).exitCode == 143)
    }
}
