import EscaleCore
import EscaleSystem
import Glibc
import EscaleTestSupport
import Testing

/// Running programs: how they end, what they wrote, and that nothing of them is left. One at a time, because they count
/// the process's descriptors and children.
@Suite(.serialized) struct CommandTests {
    // MARK: How it ends

    @Test(arguments: [Int32(0), 1, 42, 255]) func theExitCodeIsTheStatus(code: Int32) async throws {
        #expect(try await shell("exit \(code)").run().status == code)
    }

    @Test(arguments: [SIGKILL, SIGTERM, SIGSEGV]) func aSignalIs128More(signal: Int32) async throws {
        let result = try await shell("kill -\(signal) $$").run()
        #expect(result.status == 128 + signal)
        #expect(!result.timedOut)
    }

    @Test func aMissingProgramIsNamed() async throws {
        let error = await #expect(throws: EscaleError.self) { try await Command("/nowhere/at-all").run() }
        #expect(error?.code.rawValue == "system.not-found")
        #expect(error?.message == "can't run /nowhere/at-all (exec): No such file or directory")
    }

    @Test func aProgramThatMayNotRunIsNamed() async throws {
        let error = await #expect(throws: EscaleError.self) { try await Command("/etc/passwd").run() }
        #expect(error?.code.rawValue == "system.not-permitted")
        #expect(error?.message.contains("/etc/passwd") == true)
    }

    @Test func aMissingDirectoryIsTheFailedStage() async throws {
        let error = await #expect(throws: EscaleError.self) {
            try await Command("/bin/true", directory: "/nowhere").run()
        }
        #expect(error?.message == "can't run /bin/true (chdir): No such file or directory")
    }

    // MARK: What it writes and reads

    @Test func bothStreamsComeInOrder() async throws {
        let result = try await shell("echo one; echo two >&2; echo three").run()
        #expect(result.text == "one\ntwo\nthree\n")
        #expect(result.tail() == "one\ntwo\nthree")
        #expect(result.tail(2) == "two\nthree")
    }

    @Test func ofMuchOutputTheEndIsKept() async throws {
        let result = try await shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done").run(outputLimit: 1000)
        #expect(result.status == 0)
        #expect(result.output.count == 1000)
        #expect(result.text.hasSuffix("line 19998\nline 19999\n"))
    }

    @Test func errorsCanBeKeptApart() async throws {
        let result = try await shell("echo out; echo err >&2; head -c 300000 /dev/zero >&2; echo end; exit 3").run(separatesErrors: true)
        #expect(result.text == "out\nend\n")
        #expect(result.errors.count == 300_004 && result.errors.starts(with: Array("err\n".utf8)))
        #expect(result.status == 3)
        #expect(try await shell("echo err >&2").run().errors == [])
        let killed = try await shell("echo begun >&2; exec sleep 600").run(separatesErrors: true, timeout: .seconds(1))
        #expect(killed.timedOut && killed.errors == Array("begun\n".utf8))
    }

    @Test func everythingIsKeptUnderTheLimit() async throws {
        let result = try await Command("/usr/bin/head", ["-c", "900000", "/dev/zero"]).run()
        #expect(result.output.count == 900_000)
    }

    @Test func eachPieceIsSeenAsItComes() async throws {
        let seen = Shared<[UInt8]>([])
        let result = try await Command("/usr/bin/head", ["-c", "300000", "/dev/zero"]).run(outputLimit: 10) { piece in
            seen.change { $0 += piece }
        }
        #expect(seen.value.count == 300_000)
        #expect(result.output.count == 10)
    }

    @Test func inputIsReadToItsEnd() async throws {
        #expect(try await Command("/bin/cat").run(input: Array("some words".utf8)).text == "some words")
        let most = [UInt8](repeating: 7, count: 65536)
        #expect(try await Command("/bin/cat").run(input: most).output == most)
        #expect(try await Command("/bin/cat").run().output == [])
        await #expect(throws: EscaleError.self) { try await Command("/bin/cat").run(input: most + [7]) }
    }

    @Test func inputThatNobodyReadsIsNoError() async throws {
        #expect(try await Command("/bin/true").run(input: [UInt8](repeating: 7, count: 65536)).status == 0)
    }

    @Test func theEnvironmentIsExactlyTheOneGiven() async throws {
        setenv("ESCALE_TEST_LEAK", "1", 1)
        defer { unsetenv("ESCALE_TEST_LEAK") }
        let result = try await Command("/usr/bin/env", environment: ["B": "2", "A": "x=y"]).run()
        #expect(result.text == "A=x=y\nB=2\n")
        #expect(try await Command("/usr/bin/env").run().text.contains("PATH=/usr/local/sbin:"))
    }

    @Test func aNewSessionIsItsOwnLeader() async throws {
        var command = shell("echo $$; cut -d' ' -f6 /proc/self/stat")
        command.newSession = true
        let lines = try await command.run().text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first == lines.last)
    }

    @Test func signalsAreAsAProgramExpectsThem() async throws {
        // The test's process may ignore or block some; a child must not inherit that.
        let before = signal(SIGPIPE, SIG_IGN)
        defer { signal(SIGPIPE, before) }
        let result = try await Command("/bin/grep", ["-E", "^Sig(Ign|Blk)", "/proc/self/status"]).run()
        let masks = result.text.split(separator: "\n").compactMap { UInt64($0.dropFirst(8), radix: 16) }
        // But for the C library's own two, 32 and 33, which no program can set.
        #expect(masks.map { $0 & ~(3 << 31) } == [0, 0])
    }

    // MARK: Too long

    @Test(.timeLimit(.minutes(1))) func oneThatTakesTooLongIsKilled() async throws {
        let result = try await shell("echo begun; exec sleep 600").run(timeout: .seconds(1))
        #expect(result.timedOut)
        #expect(result.status == 128 + SIGKILL)
        #expect(result.text == "begun\n")
        #expect(try await shell("exit 3").run(timeout: .seconds(30)).timedOut == false)
    }

    @Test(.timeLimit(.minutes(1))) func whatACommandLeavesBehindIsNotWaitedFor() async throws {
        let result = try await shell("sleep 600 & echo $!").run()
        #expect(result.status == 0)
        let left = Int32(result.tail()) ?? 0
        #expect(ProcessIdentity(pid: left) != nil)
        if left > 1 { kill(left, SIGKILL) }
    }

    @Test(.timeLimit(.minutes(1))) func aTimeOutHoldsThoughAChildKeepsTheOutputOpen() async throws {
        let result = try await shell("sleep 600 & echo $!; wait").run(timeout: .seconds(1))
        #expect(result.timedOut)
        let left = Int32(result.tail()) ?? 0
        if left > 1 { kill(left, SIGKILL) }
    }

    @Test func allThatWasWrittenBeforeTheEndIsThere() async throws {
        // The writer is gone before the reader comes, and a sleeper keeps the pipe open.
        for _ in 0..<10 {
            let result = try await shell("sleep 3 & head -c 65000 /dev/zero; kill $!; exit 0").run()
            #expect(result.output.count == 65000)
        }
    }

    @Test(.timeLimit(.minutes(1))) func cancellingKillsAndReaps() async throws {
        let pid = Shared<Int32?>(nil)
        let task = Task {
            try await shell("echo $$; exec sleep 600").run { piece in
                pid.change { $0 = Int32(String(decoding: piece, as: UTF8.self).filter(\.isNumber)) }
            }
        }
        #expect(try await eventually { pid.value != nil })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let number = try #require(pid.value)
        #expect(!Files.exists("/proc/\(number)"))
    }

    @Test func oneThatIsCancelledBeforeItBeginsIsReapedToo() async throws {
        for _ in 0..<20 {
            let task = Task { try await shell("exec sleep 30").run() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        #expect(try await eventually { try zombies() == [] })
    }

    // MARK: Nothing is left

    @Test func twoHundredRunsLeaveNothing() async throws {
        // The first one starts what stays: threads, the reactor.
        _ = try await shell("exit 0").run(input: [1], timeout: .seconds(30))
        let before = try openDescriptors().count
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<200 {
                if index >= 16 { try await group.next() }
                group.addTask { try await oneOfSeveralEnds(index) }
            }
            try await group.waitForAll()
        }
        // Other suites open some meanwhile, but not two hundred.
        #expect(try await eventually { try openDescriptors().count < before + 40 })
        #expect(try await eventually { try zombies() == [] })
    }

    private func oneOfSeveralEnds(_ index: Int) async throws {
        switch index % 4 {
        case 0: #expect(try await shell("exit 3").run().status == 3)
        case 1: #expect(try await shell("cat").run(input: [65, 66]).text == "AB")
        case 2: await #expect(throws: EscaleError.self) { try await Command("/nowhere").run() }
        default: #expect(try await shell("exec sleep 30").run(timeout: .milliseconds(5)).timedOut)
        }
    }

    @Test func onlyTheGivenDescriptorsAreInherited() async throws {
        let leak = try FileDescriptor("/dev/null", O_RDONLY)
        #expect(fcntl(leak.number, F_SETFD, 0) == 0)  // as a library would leave one
        let result = try await Command("/bin/ls", ["/proc/self/fd"]).run()
        #expect(result.text == "0\n1\n2\n3\n")  // 3 is the directory that ls reads
    }

    @Test func descriptorsComeInTheOrderGiven() async throws {
        let scratch = try ScratchDirectory()
        let files = try (0..<6).map { try FileDescriptor(scratch("f\($0)"), O_RDWR | O_CREAT) }
        let child = try await shell("for i in 0 1 2 3 4 5; do eval \"echo $i >&$i\"; done").blockingSpawn(files)
        #expect(try await child.wait() == 0)
        for index in 0..<6 { #expect(try Files.readText(scratch("f\(index)")) == "\(index)\n") }
        // Also where the numbers are taken by others of the list.
        let swapped = try await shell("echo zero >&0; echo one >&1").blockingSpawn([files[1], files[0]])
        #expect(try await swapped.wait() == 0)
        #expect(try Files.readText(scratch("f1")) == "1\nzero\n")
        _ = files.count
    }
}
