import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleDaemon
import Testing

@Suite struct PullPolicyTests {
    private static let day = Duration.seconds(86400)

    private static func settings(_ policy: ImageSettings.PullPolicy?, refreshAfter: Duration? = nil) -> ImageSettings {
        var settings = ImageSettings()
        settings.pullPolicy = policy
        settings.refreshAfter = refreshAfter
        return settings
    }

    @Test(arguments: [
        (nil, PullPolicy.missing), (.missing, .missing), (.build, .missing), (.always, .always), (.never, .never),
        (.daily, .after(day)), (.weekly, .after(day * 7)), (.every(.seconds(90)), .after(.seconds(90))),
    ] as [(ImageSettings.PullPolicy?, PullPolicy)])
    func whatTheFileSaysCountsWhereTheCommandSaysNothing(policy: ImageSettings.PullPolicy?, meaning: PullPolicy) {
        #expect(PullPolicy(Self.settings(policy), override: nil) == meaning)
        #expect(PullPolicy(Self.settings(policy), override: .always) == .always)
        #expect(PullPolicy(Self.settings(policy), override: .missing) == .missing)
        #expect(PullPolicy(Self.settings(policy), override: .never) == .never)
    }

    @Test func aRefreshHasATimeOfItsOwn() {
        #expect(PullPolicy(Self.settings(.refresh, refreshAfter: .seconds(60)), override: nil) == .after(.seconds(60)))
        #expect(PullPolicy(Self.settings(.refresh), override: nil) == .after(.zero))
        #expect(PullPolicy(nil, override: nil) == .missing)
    }

    /// What is pulled where the image is here, and where it isn't.
    @Test(arguments: [
        (PullPolicy.always, true, true), (.never, false, false), (.missing, false, true),
    ])
    func whatDoesNotDependOnTime(policy: PullPolicy, here: Bool, gone: Bool) {
        for last in [nil, Timestamp(nanoseconds: 0)] {
            #expect(policy.pulls(has: true, last: last, now: Timestamp(nanoseconds: 1)) == here)
            #expect(policy.pulls(has: false, last: last, now: Timestamp(nanoseconds: 1)) == gone)
        }
    }

    /// The last pull's age in seconds.
    @Test(arguments: [(0, false), (59, false), (60, true), (61, true), (-100, false)])
    func anOldOneIsPulledAgain(age: Int64, pulls: Bool) {
        let now = Timestamp(nanoseconds: 1_000_000_000_000)
        let last = Timestamp(nanoseconds: now.nanoseconds - age * 1_000_000_000)
        #expect(PullPolicy.after(.seconds(60)).pulls(has: true, last: last, now: now) == pulls)
        #expect(PullPolicy.after(.seconds(60)).pulls(has: false, last: last, now: now))
        #expect(PullPolicy.after(.seconds(60)).pulls(has: true, last: nil, now: now))
    }
}
