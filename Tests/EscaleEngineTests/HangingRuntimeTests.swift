import EscaleCore
import EscaleEngine
import EscaleOCI
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

/// Containers whose making hangs, by stand-ins for conmon. As root.
@Suite struct HangingRuntimeTests {
    /// Where conmon hangs.
    enum Hang: String, CaseIterable {
        /// Before it goes into the background.
        case atOnce = "exec bash -c 'while :; do sleep 0.1; done' conmon \"$@\""
        /// While the runtime makes the container: conmon's sync pipe stays open, and nothing comes.
        case inBackground = "(exec -a conmon bash -c 'while :; do sleep 0.1; done' conmon \"$@\") & exit 0"
    }

    private func engine(_ hang: Hang, _ scratch: ScratchDirectory, patience: Duration) throws -> Engine {
        try scratch.file("conmon", "#!/bin/bash\n\(hang.rawValue)\n", mode: 0o755)
        try scratch.file("runtime", "#!/bin/sh\n", mode: 0o755)
        _ = try scratch.directory("layers/base")
        return Engine(
            facts: HostFacts(runtime: scratch("runtime"), conmon: scratch("conmon"), cgroups: .v2, countsSwap: true),
            directories: EngineDirectories(
                state: scratch("state"), runtime: scratch("run"), layers: try scratch.directory("layers"), instance: "hang"),
            patience: patience)
    }

    private func blueprint() -> ContainerBlueprint {
        let id = ContainerID(rawValue: hexadecimal(UInt64.random(in: 0 ... .max)))
        return ContainerBlueprint(
            spec: ContainerSpec(id: id, arguments: ["true"], environment: [:], hostname: "web"), name: "shop-web-1", layers: ["base"])
    }

    /// The processes with that word among their arguments.
    private func processes(with word: String) throws -> [String] {
        try Files.list("/proc").filter { Int32($0) != nil }.compactMap { try? Files.readText("/proc/\($0)/cmdline") }
            .filter { $0.contains(word) }
    }

    @Test("a runtime that doesn't answer is given up, with all that was begun", arguments: Hang.allCases)
    func givesUp(hang: Hang) async throws {
        let scratch = try ScratchDirectory()
        let engine = try engine(hang, scratch, patience: .milliseconds(700))
        let begun = ContinuousClock.now
        let error = await #expect(throws: EscaleError.self) { _ = try await engine.create(blueprint(), files: [:]) }
        #expect(error?.code.rawValue == "container.start-failed")
        #expect(error?.message == "container shop-web-1 can't be started: the OCI runtime did nothing for 700ms")
        #expect(ContinuousClock.now - begun < .seconds(10))
        #expect(try processes(with: scratch.path) == [])
    }

    @Test("it may be tried again at once, with the same container")
    func triesAgain() async throws {
        let scratch = try ScratchDirectory()
        let engine = try engine(.inBackground, scratch, patience: .milliseconds(300))
        let blueprint = blueprint()
        for _ in 0..<2 {
            let error = await #expect(throws: EscaleError.self) { _ = try await engine.create(blueprint, files: [:]) }
            #expect(error?.code.rawValue == "container.start-failed")
        }
    }
}
