import EscaleCore
import EscaleSystem
import Glibc
import Testing

/// Blocking work off the concurrency pool.
@Suite struct ThreadTests {
    @Test func moreJobsThanThreadsAllRun() async throws {
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...500 {
                group.addTask {
                    try await blocking {
                        usleep(500)
                        return number
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 125_250)
    }

    @Test func blockedJobsRunBesideEachOther() async throws {
        // Each waits for all the others: with fewer threads than jobs this would never end.
        let count = 24
        let arrived = Shared(0)
        let saw = Shared(0)
        try await withThrowingTaskGroup { group in
            for _ in 0..<count {
                group.addTask {
                    try await blocking {
                        arrived.change { $0 += 1 }
                        for _ in 0..<1000 {
                            usleep(5000)
                            if arrived.value < count { continue }
                            saw.change { $0 += 1 }
                            break
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(saw.value == count)
    }

    @Test func errorsComeOut() async throws {
        let error = await #expect(throws: EscaleError.self) { try await blocking { throw EscaleError(.invalidInput, "no") } }
        #expect(error?.message == "no")
        await #expect(throws: EscaleError.self) { try await onNewThread { throw EscaleError(.invalidInput, "no") } }
    }

    @Test func aNewThreadIsNobodyElses() async throws {
        let threads = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<8 { group.addTask { try await onNewThread { Files.linkTarget("/proc/thread-self") } } }
            return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(!threads.contains(nil))
        #expect(!threads.contains("\(getpid())/task/\(getpid())"))
    }

    @Test func aSemaphoreCounts() async throws {
        let semaphore = Semaphore(value: 2)
        semaphore.wait()
        semaphore.wait()
        let waited = Shared(false)
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await blocking {
                    semaphore.wait()
                    waited.change { $0 = true }
                }
            }
            try await Task.sleep(for: .milliseconds(20))
            #expect(!waited.value)
            semaphore.signal()
            try await group.waitForAll()
        }
        #expect(waited.value)
    }
}
