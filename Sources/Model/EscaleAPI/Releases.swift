package import EscaleCore

/// A release of a project in one line: what `escale release ls` shows.
package struct ReleaseSummary: Codable, Hashable, Sendable {
    package enum State: String, Codable, Sendable {
        case running
        /// Waits for `promote` or the end of a manual pause, or stopped by a failure with `failure_action: pause`.
        case paused
        case rollingBack = "rolling-back"
        case succeeded
        /// Ended without success and undone: traffic is with the version before.
        case rolledBack = "rolled-back"
        /// Ended without success and left as it is: there is no version before.
        case failed
        /// A newer one took over before it ended.
        case superseded

        /// Whether it stays.
        package var isTerminal: Bool {
            switch self {
            case .running, .paused, .rollingBack: false
            case .succeeded, .rolledBack, .failed, .superseded: true
            }
        }
    }

    package var number: Int
    package var state: State
    /// Why it is in that state, in one sentence; `nil` where there is nothing to say.
    package var reason: String?
    /// `up`, or `rollback to 4`.
    package var trigger: String
    package var createdAt: Timestamp
    package var finishedAt: Timestamp?
    /// The services it changes.
    package var services: [ServiceName]
    /// Whether it is what runs now, the last that succeeded.
    package var isCurrent: Bool

    package init(
        number: Int, state: State, reason: String? = nil, trigger: String, createdAt: Timestamp,
        finishedAt: Timestamp? = nil, services: [ServiceName], isCurrent: Bool
    ) {
        self.number = number
        self.state = state
        self.reason = reason
        self.trigger = trigger
        self.createdAt = createdAt
        self.finishedAt = finishedAt
        self.services = services
        self.isCurrent = isCurrent
    }
}

/// Everything about one release: what `escale release show` and, live, `watch` show.
package struct ReleaseDetail: Codable, Hashable, Sendable {
    /// One version's replicas and traffic.
    package struct Version: Codable, Hashable, Sendable {
        /// The number of the release that brought it.
        package var generation: Int
        /// The image's ID.
        package var image: String
        package var ready: Int
        package var running: Int
        package var wanted: Int
        /// Percent of new requests or connections.
        package var weight: Int
        /// Of the last seconds; `nil` where the gateway doesn't see the traffic.
        package var figures: TrafficFigures?

        package init(
            generation: Int, image: String, ready: Int, running: Int, wanted: Int, weight: Int,
            figures: TrafficFigures? = nil
        ) {
            self.generation = generation
            self.image = image
            self.ready = ready
            self.running = running
            self.wanted = wanted
            self.weight = weight
            self.figures = figures
        }
    }

    package struct Change: Codable, Hashable, Sendable {
        package var service: ServiceName
        /// `added`, `removed`, `rolling`, `blue-green`, `canary`, `one-shot`.
        package var kind: String
        /// One or two words: `waiting`, `batch 2 of 4`, `10 %`, `done`.
        package var step: String
        /// What it waits for, in words; `nil` where it is done.
        package var waitsFor: String?
        package var old: Version?
        package var new: Version?

        package init(
            service: ServiceName, kind: String, step: String, waitsFor: String? = nil, old: Version? = nil,
            new: Version? = nil
        ) {
            self.service = service
            self.kind = kind
            self.step = step
            self.waitsFor = waitsFor
            self.old = old
            self.new = new
        }
    }

    package var summary: ReleaseSummary
    package var changes: [Change]
    /// Everything that was decided, and on which figures; oldest first.
    package var decisions: [ReleaseDecision]

    package init(summary: ReleaseSummary, changes: [Change], decisions: [ReleaseDecision]) {
        self.summary = summary
        self.changes = changes
        self.decisions = decisions
    }
}

/// Requests of one version over a span of time.
package struct TrafficFigures: Codable, Hashable, Sendable {
    package var requests: Int
    /// 5xx answers and requests without one.
    package var errors: Int
    package var requestsPerSecond: Double
    package var p50: Duration?
    package var p95: Duration?
    package var p99: Duration?

    package init(
        requests: Int, errors: Int, requestsPerSecond: Double, p50: Duration? = nil, p95: Duration? = nil,
        p99: Duration? = nil
    ) {
        self.requests = requests
        self.errors = errors
        self.requestsPerSecond = requestsPerSecond
        self.p50 = p50
        self.p95 = p95
        self.p99 = p99
    }
}

/// One entry of a release's record.
package struct ReleaseDecision: Codable, Hashable, Sendable {
    package var at: Timestamp
    /// `nil` for what concerns the whole release.
    package var service: ServiceName?
    /// A sentence: `weight 10 → 50 %: error rate 0.1 % (limit 1 %), p95 12 ms (limit 300 ms)`.
    package var text: String
    /// What it went by: the last probe's output, an exit code, the log's tail, figures; may be several lines.
    package var evidence: String?

    package init(at: Timestamp, service: ServiceName? = nil, text: String, evidence: String? = nil) {
        self.at = at
        self.service = service
        self.text = text
        self.evidence = evidence
    }
}

/// What somebody tells a running release.
package struct ReleaseCommand: Codable, Sendable {
    package enum Action: String, Codable, Sendable, CaseIterable {
        /// Ends the pause or the step at hand and goes on with the next.
        case promote
        /// Stays as it is until resumed.
        case pause
        case resume
        /// Goes back to the version before.
        case abort
    }

    package var action: Action
    package init(_ action: Action) { self.action = action }
}

/// Goes back to a kept release.
package struct RollbackRequest: Codable, Sendable {
    /// `nil` for the last successful one before the current.
    package var release: Int?
    package init(release: Int? = nil) { self.release = release }
}

/// What differs between two releases, or between one and what runs now.
package struct ReleaseDifference: Codable, Hashable, Sendable {
    package struct Line: Codable, Hashable, Sendable {
        package var service: ServiceName
        /// A dotted attribute such as `environment.MODE`, `image`, `replicas`.
        package var attribute: String
        package var old: String?
        package var new: String?

        package init(service: ServiceName, attribute: String, old: String?, new: String?) {
            self.service = service
            self.attribute = attribute
            self.old = old
            self.new = new
        }
    }

    package var from: Int
    package var to: Int
    package var lines: [Line]

    package init(from: Int, to: Int, lines: [Line]) {
        self.from = from
        self.to = to
        self.lines = lines
    }
}
