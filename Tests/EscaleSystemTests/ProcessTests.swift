import EscaleCore
import EscaleSystem
import Glibc
import EscaleTestSupport
import Testing

/// Processes by number and start time.
@Suite struct ProcessTests {
    private func sleeper() async throws -> ChildProcess {
        let null = try FileDescriptor("/dev/null", O_RDWR)
        return try await shell("exec sleep 30").blockingSpawn([null, null, null])
    }

    @Test func aProcessIsItsNumberAndItsStart() throws {
        let own = try #require(ProcessIdentity(pid: getpid()))
        #expect(own.isAlive)
        #expect(own == ProcessIdentity(pid: getpid()))
        #expect(own.startTicks > 0)
    }

    @Test func aNumberThatIsUsedAgainIsAnotherProcess() throws {
        let own = try #require(ProcessIdentity(pid: getpid()))
        let former = ProcessIdentity(pid: own.pid, startTicks: own.startTicks - 1)
        #expect(!former.isAlive)
        #expect(ProcessHandle(former) == nil)
    }

    @Test func noNumberNoProcess() {
        #expect(ProcessIdentity(pid: 0) == nil)
        #expect(ProcessIdentity(pid: -1) == nil)
        #expect(ProcessIdentity(pid: .max) == nil)
        #expect(ProcessHandle(ProcessIdentity(pid: .max, startTicks: 1)) == nil)
    }

    @Test func aZombieIsNotAlive() async throws {
        let child = try await sleeper()
        let identity = try #require(ProcessIdentity(pid: child.pid))
        child.signal(SIGKILL)
        #expect(try await eventually { !identity.isAlive })
        #expect(Files.exists("/proc/\(child.pid)"))  // it is still there, as a zombie
        #expect(ProcessIdentity(pid: child.pid) == nil)
        #expect(try await child.wait() == 128 + SIGKILL)
        #expect(!Files.exists("/proc/\(child.pid)"))
    }

    @Test func aNameWithParenthesesAndSpacesIsRead() async throws {
        let scratch = try ScratchDirectory()
        let program = scratch(") R 1 1")
        try check("link") { symlink("/bin/sleep", program) }
        let null = try FileDescriptor("/dev/null", O_RDWR)
        let child = try await Command(program, ["30"]).blockingSpawn([null, null, null])
        let identity = try #require(ProcessIdentity(pid: child.pid))
        let now = try #require(ProcessIdentity(pid: getpid()))
        #expect(identity.startTicks >= now.startTicks)
        child.signal(SIGKILL)
        _ = try await child.wait()
        #expect(!identity.isAlive)
    }

    @Test func anyoneMayWaitForTheEnd() async throws {
        let child = try await sleeper()
        let identity = try #require(ProcessIdentity(pid: child.pid))
        let handles = try (0..<3).map { _ in try #require(ProcessHandle(identity)) }
        #expect(handles[0].identity == identity)
        handles[0].signal(SIGTERM)
        try await withThrowingTaskGroup { group in
            for handle in handles { group.addTask { try await handle.ended() } }
            try await group.waitForAll()
        }
        #expect(!identity.isAlive)
        #expect(try await child.wait() == 128 + SIGTERM)
        // It stays that process, whatever becomes of the number.
        handles[0].signal(SIGKILL)
        try await handles[0].ended()
        #expect(ProcessHandle(identity) == nil)
    }

    @Test func waitingCanBeGivenUp() async throws {
        let child = try await sleeper()
        let identity = try #require(ProcessIdentity(pid: child.pid))
        let handle = try #require(ProcessHandle(identity))
        let waiting = Task { try await handle.ended() }
        try await Task.sleep(for: .milliseconds(20))
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(identity.isAlive)
        // And taken up again.
        child.signal(SIGKILL)
        try await handle.ended()
        _ = try await child.wait()
    }
}
