import EscaleAPI
import EscaleCore

/// A release as `--format json` and `yaml` print it: the API's, with times of requests as seconds.
struct PrintedRelease: Encodable {
    struct Change: Encodable {
        let service: ServiceName
        let kind: String
        let step: String
        let waitsFor: String?
        let old: Version?
        let new: Version?
    }

    struct Version: Encodable {
        let generation: Int
        let image: String
        let ready: Int
        let running: Int
        let wanted: Int
        let weight: Int
        let figures: Figures?
    }

    struct Figures: Encodable {
        let requests: Int
        let errors: Int
        let requestsPerSecond: Double
        let p50: Double?
        let p95: Double?
        let p99: Double?
    }

    let summary: ReleaseSummary
    let changes: [Change]
    let decisions: [ReleaseDecision]

    init(_ release: ReleaseDetail) {
        summary = release.summary
        changes = release.changes.map(Change.init)
        decisions = release.decisions
    }

    static let fields = [
        JSONField("summary", "object as `escale release ls` prints it"),
        JSONField(
            "changes",
            "objects with `service`, `kind`, `step`, `waitsFor`, `old` and `new`: objects with `generation`, `image`, "
                + "`ready`, `running`, `wanted`, `weight` (percent) and `figures`: an object with `requests`, "
                + "`errors`, `requestsPerSecond`, `p50`, `p95` and `p99` (seconds)"
        ),
        JSONField(
            "decisions",
            "objects with `at` (RFC 3339), `service`, `text` and `evidence`; oldest first"
        ),
    ]
}

extension PrintedRelease.Change {
    init(_ change: ReleaseDetail.Change) {
        service = change.service
        kind = change.kind
        step = change.step
        waitsFor = change.waitsFor
        old = change.old.map(PrintedRelease.Version.init)
        new = change.new.map(PrintedRelease.Version.init)
    }
}

extension PrintedRelease.Version {
    init(_ version: ReleaseDetail.Version) {
        generation = version.generation
        image = version.image
        ready = version.ready
        running = version.running
        wanted = version.wanted
        weight = version.weight
        figures = version.figures.map(PrintedRelease.Figures.init)
    }
}

extension PrintedRelease.Figures {
    init(_ figures: TrafficFigures) {
        requests = figures.requests
        errors = figures.errors
        requestsPerSecond = figures.requestsPerSecond
        p50 = figures.p50?.seconds
        p95 = figures.p95?.seconds
        p99 = figures.p99?.seconds
    }
}
