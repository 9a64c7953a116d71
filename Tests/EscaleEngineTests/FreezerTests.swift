import EscaleCore
import EscaleEngine
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

/// What the kernel says of a frozen container, by control groups of the tests' own. As root.
@Suite struct FreezerTests {
    private let id = ContainerID(rawValue: hexadecimal(UInt64.random(in: 0 ... .max)))
    private let hasOneHierarchy = Files.exists("/sys/fs/cgroup/cgroup.controllers")

    private func engine(_ scratch: ScratchDirectory, runtime: String = "/usr/bin/crun") -> Engine {
        Engine(
            facts: HostFacts(runtime: runtime, conmon: "conmon", cgroups: hasOneHierarchy ? .v2 : .hybrid, countsSwap: true),
            directories: EngineDirectories(
                state: scratch("state"), runtime: scratch("run"), layers: scratch("layers"), instance: "freezer-\(id)"))
    }

    /// Calls the body with what freezes the container's group and what lets it go on.
    private func withGroup(_ body: (_ freeze: (Bool) throws -> Void) throws -> Void) throws {
        let hierarchy = "/sys/fs/cgroup" + (hasOneHierarchy ? "" : "/freezer")
        let parent = "\(hierarchy)/escale-freezer-\(id)"
        try Files.createDirectories("\(parent)/\(id)")
        defer {
            rmdir("\(parent)/\(id)")
            rmdir(parent)
        }
        try body { [hasOneHierarchy] isFrozen in
            let words = hasOneHierarchy ? ["0", "1"] : ["THAWED", "FROZEN"]
            let file = try FileDescriptor("\(parent)/\(id)/\(hasOneHierarchy ? "cgroup.freeze" : "freezer.state")", O_WRONLY)
            try file.write(Array(words[isFrozen ? 1 : 0].utf8))
        }
    }

    @Test("whoever froze it, the kernel tells") func tells() throws {
        let scratch = try ScratchDirectory()
        let engine = engine(scratch)
        #expect(engine.isFrozen(id) == nil)
        try withGroup { freeze in
            #expect(engine.isFrozen(id) == false)
            try freeze(true)
            #expect(engine.isFrozen(id) == true)
            try freeze(false)
            #expect(engine.isFrozen(id) == false)
        }
    }

    @Test("of a container whose runtime has another way nothing is said") func isSilent() throws {
        let scratch = try ScratchDirectory()
        try withGroup { _ in #expect(engine(scratch, runtime: "/usr/bin/runsc").isFrozen(id) == nil) }
    }

    @Test("what runs already isn't told to go on") func goesOnAlready() async throws {
        let scratch = try ScratchDirectory()
        let hierarchy = "/sys/fs/cgroup" + (hasOneHierarchy ? "" : "/freezer")
        try Files.createDirectories("\(hierarchy)/escale-freezer-\(id)/\(id)")
        defer {
            rmdir("\(hierarchy)/escale-freezer-\(id)/\(id)")
            rmdir("\(hierarchy)/escale-freezer-\(id)")
        }
        // This runtime would fail: there is none.
        try await engine(scratch, runtime: "/nowhere/crun").resume(id, name: "shop-web-1")
    }

    @Test("a runtime that a killed daemon left behind changes nothing any more", arguments: ["pause", "resume"])
    func settles(verb: String) async throws {
        let scratch = try ScratchDirectory()
        let null = try FileDescriptor("/dev/null", O_RDWR)
        let runtime = try Command("/bin/bash", ["-c", "while :; do sleep 0.1; done", "--root", "x", verb, id.rawValue]).spawn([null, null, null])
        let other = try Command("/bin/bash", ["-c", "while :; do sleep 0.1; done", verb, "another"]).spawn([null, null, null])
        try await engine(scratch).settle(id)
        #expect(try await runtime.wait() == 137)
        #expect(ProcessIdentity(pid: other.pid) != nil)
        other.signal(SIGKILL)
        _ = try await other.wait()
    }
}
