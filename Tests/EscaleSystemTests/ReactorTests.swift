import EscaleCore
import EscaleSystem
import Glibc
import Testing

/// Waiting for descriptors without a thread each.
@Suite struct ReactorTests {
    @Test func dataAndTheEndAreReadable() async throws {
        let (reading, writing) = try FileDescriptor.pipe()
        async let ready: Void = Reactor.shared.readable(reading)
        try writing.write([1, 2, 3])
        try await ready
        #expect(try reading.read() == [1, 2, 3])
        #expect(try reading.readAvailable() == nil)
        let waiting = Task { try await Reactor.shared.readable(reading) }
        try await Task.sleep(for: .milliseconds(10))
        _ = consume writing
        try await waiting.value
        #expect(try reading.read() == [])
    }

    @Test func whatIsReadyIsReadyAtOnceAndAgain() async throws {
        let (reading, writing) = try FileDescriptor.pipe()
        try writing.write([1])
        for _ in 0..<100 { try await Reactor.shared.readable(reading) }
    }

    @Test func aCancelledWaitEndsAndTheNextOneWorks() async throws {
        let (reading, writing) = try FileDescriptor.pipe()
        for _ in 0..<50 {
            let waiting = Task { try await Reactor.shared.readable(reading) }
            if Bool.random() { try await Task.sleep(for: .milliseconds(1)) }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        try writing.write([9])
        try await Reactor.shared.readable(reading)
        #expect(try reading.read() == [9])
    }

    @Test func aDescriptorThatCantBeWaitedForIsAnError() async throws {
        let file = try FileDescriptor("/etc/passwd", O_RDONLY)
        await #expect(throws: EscaleError.self) { try await Reactor.shared.readable(file) }
    }

    @Test func manyWaitAtOnce() async throws {
        let pipes = try (0..<200).map { _ in try FileDescriptor.pipe() }
        try await withThrowingTaskGroup { group in
            for pipe in pipes { group.addTask { try await Reactor.shared.readable(pipe.reading) } }
            for pipe in pipes.shuffled() { try pipe.writing.write([1]) }
            try await group.waitForAll()
        }
    }

    @Test func aNumberInUseAgainIsNotMistaken() async throws {
        // Waits that are cancelled just as their event comes, and descriptors whose numbers go round.
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<300 {
                        let (reading, writing) = try FileDescriptor.pipe()
                        let waiting = Task { try await Reactor.shared.readable(reading) }
                        try writing.write([1])
                        waiting.cancel()
                        _ = await waiting.result
                        let (quiet, other) = try FileDescriptor.pipe()
                        let early = Task {
                            try await Reactor.shared.readable(quiet)
                            return try quiet.readAvailable()
                        }
                        try await Task.sleep(for: .microseconds(50))
                        try other.write([2])
                        #expect(try await early.value == [2])
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
