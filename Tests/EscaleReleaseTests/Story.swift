import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease

/// A release that is told what happens, moment by moment, by a planner that makes everything true at once.
struct Story {
    /// A service and what the release does with it.
    struct Part {
        var service: Service
        var kind: Change.Kind
        var after: Set<ServiceName> = []
        /// `nil` for one that wasn't there.
        var formerSlots: Int?
    }

    var release: Release
    var views: [ServiceName: ServiceView] = [:]
    var now = begin
    /// When the release wants to look again.
    var wake: Timestamp?

    /// Release 2, after release 1 that succeeded.
    init(_ parts: [Part], hasPredecessor: Bool = true) {
        var changes: [Change] = []
        for part in parts {
            let old = (part.formerSlots ?? 0) > 0 ? (1...(part.formerSlots ?? 1)).map { Instance(generation: 1, slot: $0) } : []
            let phase: ServiceView.Condition = part.kind == .oneShot ? .completed : .ready(since: begin)
            views[part.service.name] = ServiceView(
                replicas: Dictionary(old.map { ($0, phase) }, uniquingKeysWith: { first, _ in first }))
            changes.append(
                Change(
                    part.service, kind: part.kind, after: part.after, old: part.formerSlots == nil ? nil : 1,
                    oldSlots: part.formerSlots ?? 0, new: 2, standing: Set(old),
                    isChecked: true, beginsAt: hasPredecessor ? nil : begin))
        }
        release = Release(number: 2, trigger: "up", changes: changes, hasPredecessor: hasPredecessor, now: begin)
        look()
    }

    /// One service.
    init(_ service: Service, _ kind: Change.Kind = .rolling, from formerSlots: Int? = 4) {
        self.init([Part(service: service, kind: kind, formerSlots: formerSlots)])
    }

    /// Lets time pass, and looks until there is nothing to do for now.
    mutating func look(after seconds: Double = 0) {
        now = now + .milliseconds(Int64(seconds * 1000))
        for _ in 0..<50 {
            let before = release
            wake = release.advance(views, now: now)
            let isNew = follow()
            if release == before && !isNew { return }
        }
    }

    /// What isn't asked for any more is gone at once; what is asked for starts.
    private mutating func follow() -> Bool {
        let before = views
        for change in release.changes {
            var replicas = views[change.service]?.replicas ?? [:]
            replicas = replicas.filter { change.allocation.instances.contains($0.key) }
            for instance in change.allocation.instances where replicas[instance] == nil { replicas[instance] = .starting }
            views[change.service, default: ServiceView()].replicas = replicas
        }
        return views != before
    }

    /// Something happens to replicas of one version; no slots for all that there are.
    mutating func make(
        _ condition: ServiceView.Condition, _ slots: Int..., of generation: Int = 2, in service: ServiceName = "web"
    ) {
        for instance in views[service]?.replicas.keys ?? [:].keys
        where instance.generation == generation && (slots.isEmpty || slots.contains(instance.slot)) {
            views[service]?.replicas[instance] = condition
        }
        look()
    }

    mutating func becomeReady(_ slots: Int..., in service: ServiceName = "web") {
        for instance in views[service]?.replicas.keys ?? [:].keys where slots.isEmpty || slots.contains(instance.slot) {
            if views[service]?.replicas[instance] == .starting {
                views[service]?.replicas[instance] = .ready(since: now)
            }
        }
        look()
    }

    /// Requests of the new version, and of the old one at the same time, as the gateway counts them from now on.
    mutating func traffic(_ requests: Int, errors: Int, p95: Duration? = nil, old: TrafficFigures? = nil) {
        views["web"]?.figures = [2: TrafficFigures(requests: requests, errors: errors, requestsPerSecond: 0, p95: p95)]
        views["web"]?.figures[1] = old
    }

    func change(_ service: ServiceName = "web") -> Change? { release.changes.first { $0.service == service } }

    /// `1/1 2/1`: what is asked for, by version and slot.
    func asked(_ service: ServiceName = "web") -> String {
        change(service)?.allocation.instances.sorted().map { "\($0.generation)/\($0.slot)" }.joined(separator: " ") ?? ""
    }

    var share: Int? { change()?.allocation.newShare }
    /// From now until the release looks again by itself.
    var wakesIn: Duration? { wake.map { $0 - now } }

    /// As `escale release show` prints them.
    var record: String {
        release.decisions.map { decision in
            let service = decision.service.map { "\($0): " } ?? ""
            let evidence = decision.evidence.map { "\n    \($0.split(separator: "\n").joined(separator: "\n    "))" } ?? ""
            return "+\((decision.at - begin).composeText) \(service)\(decision.text)\(evidence)\n"
        }.joined()
    }
}

/// `web` with four replicas.
func web(
    replicas: Int = 4, volume: Bool = false, _ update: UpdateConfig? = nil, _ body: (inout ReleaseSettings) -> Void = { _ in }
) -> Service {
    var service = Service(name: "web")
    service.replicas = replicas
    service.update = update
    if volume { service.mounts = [Mount(.volume(key: "data"), target: "/data")] }
    body(&service.release)
    return service
}

func update(
    parallelism: Int = 1, _ order: UpdateConfig.Order? = nil, onFailure: UpdateConfig.FailureAction = .rollback,
    delay: Duration = .zero, ratio: Double = 0
) -> UpdateConfig {
    var config = UpdateConfig()
    config.parallelism = parallelism
    config.order = order
    config.failureAction = onFailure
    config.delay = delay
    config.maxFailureRatio = ratio
    return config
}

func analysis(_ body: (inout Analysis) -> Void = { _ in }) -> Analysis {
    var analysis = Analysis()
    analysis.maxErrorRate = 0.01
    body(&analysis)
    return analysis
}
