package import EscaleAPI
package import EscaleCore

/// What a release sees of one service: its replicas, and the figures to judge them by.
package struct ServiceView: Hashable, Sendable {
    package enum Condition: Hashable, Sendable {
        /// It is there and not ready yet, or for now.
        case starting
        /// It takes traffic since then, as far as it is given any.
        case ready(since: Timestamp)
        /// It ended by itself, is unhealthy, or can't be made: why, for people.
        case failed(String)
        /// A one-shot that did its work.
        case completed
        /// It takes no new traffic and is on its way out.
        case leaving
    }

    package var replicas: [Instance: Condition]
    /// Requests since the release asked for a window (see ``Change/windowStart``), by version.
    package var figures: [Int: TrafficFigures]
    /// Results of queries and commands in that window, the newest of each.
    package var checks: [Check]

    /// The result of a query or a command.
    package struct Check: Hashable, Sendable {
        package var name: String
        package var verdict: Verdict
        package var text: String

        package init(name: String, verdict: Verdict, text: String) {
            self.name = name
            self.verdict = verdict
            self.text = text
        }
    }

    package init(
        replicas: [Instance: Condition] = [:], figures: [Int: TrafficFigures] = [:], checks: [Check] = []
    ) {
        self.replicas = replicas
        self.figures = figures
        self.checks = checks
    }

    func condition(_ generation: Int, _ slot: Int) -> Condition? {
        replicas[Instance(generation: generation, slot: slot)]
    }

    /// Whether it has been ready for so long.
    func isReady(_ generation: Int, _ slot: Int, for settle: Duration, now: Timestamp) -> Bool {
        guard case .ready(let since) = condition(generation, slot) else { return false }
        return now - since >= settle
    }

    /// When the youngest of these has been ready for so long; `nil` if one isn't ready.
    func readyTime(_ generation: Int, slots: some Sequence<Int>, for settle: Duration) -> Timestamp? {
        var latest: Timestamp?
        for slot in slots {
            guard case .ready(let since) = condition(generation, slot) else { return nil }
            latest = max(latest ?? since, since)
        }
        return latest.map { $0 + settle }
    }

    /// Whether something is still there that isn't asked for, besides what comes next anyway.
    func hasStrangers(to allocation: Allocation, besides next: (Instance) -> Bool) -> Bool {
        replicas.keys.contains { !allocation.instances.contains($0) && !next($0) }
    }

    func failure(_ generation: Int, _ slot: Int) -> String? {
        guard case .failed(let evidence) = condition(generation, slot) else { return nil }
        return evidence
    }

    /// The same where it has to go on running.
    func end(_ generation: Int, _ slot: Int) -> String? {
        condition(generation, slot) == .completed ? "it ended, with exit code 0" : failure(generation, slot)
    }

    /// Why the first of these that failed did.
    func firstFailure(_ generation: Int, _ slots: [Int]) -> String? {
        slots.lazy.compactMap { failure(generation, $0) }.first
    }

    /// The same where they have to go on running.
    func firstEnd(_ generation: Int, _ slots: [Int]) -> String? {
        slots.lazy.compactMap { end(generation, $0) }.first
    }
}

/// How a part of a release gets on.
enum Outcome: Hashable {
    /// Looks again by then at the latest, and at every change before.
    case going(wakeAt: Timestamp?)
    /// Why it can't succeed, for people.
    case failed(String)
    /// There is too little to judge by, or the analysis doesn't work: somebody has to decide.
    case undecided(String)
    case complete
}

/// How long replicas may take to become ready where their health check never says that they are ill.
let readinessLimit = Duration.seconds(600)
