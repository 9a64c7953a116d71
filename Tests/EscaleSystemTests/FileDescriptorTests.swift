import EscaleCore
import EscaleSystem
import Glibc
import Testing

/// Descriptors that close themselves, and the errors of system calls.
@Suite struct FileDescriptorTests {
    @Test func aDescriptorClosesWithItsOwner() throws {
        var (reading, writing): (FileDescriptor?, FileDescriptor?) = try FileDescriptor.pipe()
        try writing?.write([1, 2])
        writing = nil
        #expect(try reading?.read() == [1, 2])
        #expect(try reading?.read() == [])  // the end: nobody can write any more
        reading = nil
    }

    @Test func descriptorsAreNotInherited() throws {
        let (reading, writing) = try FileDescriptor.pipe()
        for descriptor in [reading, writing, try FileDescriptor("/dev/null", O_RDWR)] {
            #expect(fcntl(descriptor.number, F_GETFD) & FD_CLOEXEC != 0)
        }
    }

    @Test func anEmptyPipeIsNoError() throws {
        let (reading, writing) = try FileDescriptor.pipe()
        #expect(try reading.readAvailable() == nil)
        #expect(throws: EscaleError.self) { try reading.read() }
        try writing.write([1])
        #expect(try reading.readAvailable() == [1])
    }

    @Test func readingStopsAtTheLimit() throws {
        let (reading, writing) = try FileDescriptor.pipe()
        try writing.write(Array(0..<10))
        #expect(try reading.read(upTo: 4) == [0, 1, 2, 3])
        #expect(try reading.read(upTo: 100) == [4, 5, 6, 7, 8, 9])
    }

    @Test func writingGoesOnUntilAllIsWritten() async throws {
        let (reading, writing) = try FileDescriptor.pipe()
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
        async let written: Void = blocking { try writing.write(bytes) }
        var all: [UInt8] = []
        while all.count < bytes.count {
            try await Reactor.shared.readable(reading)
            all += try reading.readAvailable() ?? []
        }
        try await written
        #expect(all == bytes)
    }

    @Test(arguments: [
        (ENOENT, "system.not-found", false), (ENOSPC, "system.disk-full", true), (EACCES, "system.not-permitted", true),
        (EPERM, "system.not-permitted", true), (EADDRINUSE, "system.address-in-use", false),
        (EMFILE, "system.failed", true), (EIO, "system.failed", false),
    ]) func anErrorNumberSaysWhatToDo(code: Int32, name: String, hasHint: Bool) {
        let error = Errno(code).during("do it")
        #expect(error.code.rawValue == name)
        #expect(error.message == "can't do it: \(String(cString: strerror(code)))")
        #expect((error.hint != nil) == hasHint)
    }

    @Test func callsThatWereInterruptedAreMadeAgain() throws {
        var calls = 0
        let result: Int32 = try check("try") {
            calls += 1
            errno = EINTR
            return calls < 3 ? -1 : 7
        }
        #expect(result == 7)
        #expect(calls == 3)
    }

    // MARK: Where an installation is

    @Test func aRootMovesEverything() {
        let own = EscaleRoot(option: nil, environment: ["ESCALE_ROOT": ""])
        #expect(own.state == "/var/lib/escale")
        #expect(own.socket == "/run/escale/escaled.sock")
        #expect(own.arguments == [])
        let moved = EscaleRoot(option: "/tmp//a/./b/", environment: ["ESCALE_ROOT": "/other"])
        #expect(moved.state == "/tmp/a/b/state")
        #expect(moved.runtime == "/tmp/a/b/run")
        #expect(moved.arguments == ["--root", "/tmp/a/b"])
        #expect(EscaleRoot(option: nil, environment: ["ESCALE_ROOT": "/other"]).log == "/other/state/escaled.log")
    }
}
