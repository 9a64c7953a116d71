import EscaleCluster
import Testing

@Suite struct PodSplitTests {
    /// Of four old pods, for shares of the new version: how many pods of each there are.
    @Test(arguments: [
        (1, 4, 1), (10, 4, 1), (20, 4, 1), (25, 4, 1), (33, 4, 2), (50, 4, 4), (67, 2, 4), (75, 1, 4), (90, 1, 4), (99, 1, 4),
    ])
    func sharesOfFourPods(share: Int, old: Int, new: Int) {
        let split = PodSplit(share: share, old: 4, new: 1, most: 4)
        #expect((split.old, split.new) == (old, new))
    }

    @Test func allAndNothingAreAsAsked() {
        for share in [0, 100] {
            let split = PodSplit(share: share, old: 3, new: 2, most: 9)
            #expect((split.old, split.new) == (3, 2))
        }
    }

    /// Neither version is without a pod, none has more than it may, the new one at least what was asked, and the share is as near as pods
    /// can make it, but for what is given up to keep old pods.
    @Test func anyShareOfAnyNumber() {
        for old in 1...12 {
            for most in 1...12 {
                for share in 1...99 { check(share, old: old, most: most) }
            }
        }
    }

    private func check(_ share: Int, old: Int, most: Int) {
        for new in [1, most] {
            let split = PodSplit(share: share, old: old, new: new, most: most)
            #expect((1...old).contains(split.old) && (new...most).contains(split.new), "\(share) % of \(old) and \(most): \(split)")
        }
        let split = PodSplit(share: share, old: old, new: 1, most: most)
        let wanted = Double(share) / 100
        var best = 1.0
        for a in 1...old {
            for b in 1...most { best = min(best, abs(Self.share(b, of: a + b) - wanted)) }
        }
        let error = abs(Self.share(split.new, of: split.new + split.old) - wanted)
        let step = 1 / Double(min(old, most) + 1)
        #expect(error <= best + step, "\(share) % of \(old) and \(most): \(split)")
    }

    private static func share(_ part: Int, of all: Int) -> Double { Double(part) / Double(all) }
}
