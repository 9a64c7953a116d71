import EscaleAPI
import EscaleCore

extension Timestamp {
    /// So many seconds after 2026-11-20T22:54:01Z, when the sample release begins.
    static func sample(_ seconds: Double = 0) -> Timestamp {
        Timestamp(nanoseconds: 1_795_215_241_000_000_000 + Int64(seconds * 1e9))
    }
}

extension ServiceName {
    static let web = ServiceName(rawValue: "web")
    static let worker = ServiceName(rawValue: "worker")
}

extension ReleaseSummary {
    static func sample(
        _ number: Int = 7,
        _ state: State = .running,
        reason: String? = nil,
        trigger: String = "up",
        services: [ServiceName] = [.web, .worker],
        isCurrent: Bool = false,
        createdAt: Timestamp = .sample(),
        took: Duration? = nil
    ) -> Self {
        ReleaseSummary(
            number: number,
            state: state,
            reason: reason,
            trigger: trigger,
            createdAt: createdAt,
            finishedAt: took.map { createdAt + $0 },
            services: services,
            isCurrent: isCurrent
        )
    }
}

extension ReleaseDetail.Version {
    static func sample(
        _ generation: Int,
        _ digit: String,
        _ ready: Int,
        of wanted: Int,
        running: Int? = nil,
        weight: Int,
        figures: TrafficFigures? = nil
    ) -> Self {
        Self(
            generation: generation,
            image: "sha256:" + String(repeating: digit, count: 64),
            ready: ready,
            running: running ?? ready,
            wanted: wanted,
            weight: weight,
            figures: figures
        )
    }
}

extension ReleaseDetail {
    /// A canary of `web` with two shares of the traffic, and a finished roll of `worker`.
    static func sample(
        _ state: ReleaseSummary.State = .running,
        weight: Int = 10,
        reason: String? = nil,
        number: Int = 7
    ) -> Self {
        let web = Change(
            service: .web,
            kind: "canary",
            step: "\(weight) %",
            waitsFor: state.isTerminal ? nil : "50 requests, 12 so far",
            old: .sample(
                6,
                "a",
                3,
                of: 3,
                weight: 100 - weight,
                figures: TrafficFigures(
                    requests: 3615,
                    errors: 3,
                    requestsPerSecond: 120.5,
                    p95: .milliseconds(12)
                )
            ),
            new: .sample(
                number,
                "b",
                1,
                of: 3,
                running: 2,
                weight: weight,
                figures: TrafficFigures(
                    requests: 400,
                    errors: 50,
                    requestsPerSecond: 13.25,
                    p95: .milliseconds(1340)
                )
            )
        )
        let worker = Change(
            service: .worker,
            kind: "rolling",
            step: "done",
            old: .sample(5, "c", 0, of: 0, weight: 0),
            new: .sample(number, "c", 12, of: 12, weight: 100)
        )
        let failed = ReleaseDecision(
            at: .sample(92.5),
            service: .web,
            text: "rolled back: error rate 12.5 % (limit 1 %)",
            evidence: (1...12).map { "\u{1B}[31mGET /cart 500\u{1B}[0m \($0)" }.joined(separator: "\n")
        )
        return ReleaseDetail(
            summary: .sample(
                number,
                state,
                reason: reason,
                took: state.isTerminal ? .seconds(93) : nil
            ),
            changes: [web, worker],
            decisions: [
                ReleaseDecision(at: .sample(), text: "begun by up"),
                ReleaseDecision(
                    at: .sample(12.3),
                    service: .web,
                    text: "weight 0 → 10 %: 1 replica is ready"
                ),
                ReleaseDecision(at: .sample(31), service: .worker, text: "done: 12 of 12 ready"),
            ] + (state == .rolledBack ? [failed] : [])
        )
    }
}
