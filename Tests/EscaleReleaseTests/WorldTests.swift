import EscaleCompose
import EscaleCore
import EscaleRelease
import EscaleTestSupport
import FoundationEssentials
import Testing

/// Releases in random worlds. A failure names the seed: `ESCALE_SEED=n ESCALE_RUNS=1` repeats it.
@Suite struct WorldTests {
    private static let runs = number("ESCALE_RUNS") ?? 2000
    private static let seed = number("ESCALE_SEED") ?? 0

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// Two halves, so that they run beside each other.
    @Test(arguments: [UInt64(0), 1])
    func everyRuleHoldsWhateverGoesWrong(half: UInt64) {
        for seed in Self.seed..<Self.seed + Self.runs where seed % 2 == half {
            do {
                try live(seed)
            } catch {
                Issue.record("seed \(seed): \(error)")
                return
            }
        }
    }

    private func live(_ seed: UInt64) throws {
        var world = try World(seed: seed)
        for _ in 0..<Int.random(in: 10...150, using: &world.random) {
            try world.step()
            if world.random.chance(5) { try world.command() }
            if world.random.chance(2) { try world.restartDaemon() }
            if world.random.chance(3) { try world.checkWayOut() }
            if world.release.isTerminal && !world.release.isLive {
                try world.checkEnd()
                for _ in 0..<4 { try world.command() }
                guard world.random.chance(50) else { break }
                world.settleBase()
                world.beginRelease(isFirst: true)
            } else if world.random.chance(1) {
                world.settleBase()
                world.beginRelease(isFirst: false)
            }
        }
        try world.checkWayOut()
    }

    /// The weights by themselves, with any candidates.
    @Test func weightsAreExactlyTheShares() throws {
        var random = Seeded(7)
        for _ in 0..<5000 {
            let candidates = (0..<Int.random(in: 0...8, using: &random)).map { index in
                let isRunning = random.chance(80)
                let isStarting = isRunning && random.chance(30)
                return TrafficShare.Candidate(
                    container: ContainerID(rawValue: "c\(index)"), isNew: random.chance(50), isRunning: isRunning,
                    isStarting: isStarting, isReady: isRunning && !isStarting && random.chance(70),
                    isLeaving: random.chance(20))
            }
            let share = random.chance(20) ? nil : Int.random(in: 0...100, using: &random)
            try checkWeights(candidates, newShare: share, waits: random.chance(50))
        }
    }
}
