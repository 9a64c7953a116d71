package import EscaleAPI
import EscaleAnalysis
import EscaleCompose
package import EscaleCore
package import EscaleKubernetes
package import EscaleRelease
import EscaleSystem
import EscaleYAML

/// What a release's state machine asks of a cluster: to make allocations true, and to see what is.
///
/// Where the cluster exchanges pods itself (rolling), the state machine sees one replica: the workload. Where traffic is shifted, it
/// sees each pod of two Deployments: see ``make(_:isBack:)``. All of it may be done any number of times, by several at once.
package actor ReleaseGround {
    package typealias Report = @Sendable (ProgressEvent) -> Void

    let project: ClusterProject
    private let now: ClusterProject.Time
    private let report: Report
    /// The release at hand, and the one that it goes back to.
    private let number: Int
    private let parts: [ServiceName: ReleaseProgress.Part]
    private let new: [String: KubernetesObject]
    private let old: [String: KubernetesObject]
    /// How many objects were made, changed or removed.
    package private(set) var changes = 0

    /// What was applied last of each object, so that it isn't applied again and again.
    private var applied: [String: String] = [:]
    private var readySince: [String: Timestamp] = [:]
    private var told: [String: String] = [:]
    private var probes: [ServiceName: [Int: [ProbeResult]]] = [:]
    private var checks: [ServiceName: (at: Timestamp, results: [ServiceView.Check])] = [:]

    /// - Parameters:
    ///   - objects: of the release.
    ///   - base: of the one before.
    package init(
        _ project: ClusterProject, _ progress: ReleaseProgress, objects: [KubernetesObject], base: [KubernetesObject],
        now: @escaping ClusterProject.Time = { .now }, report: @escaping Report
    ) {
        self.project = project
        self.now = now
        self.report = report
        number = progress.release.number
        parts = progress.parts
        new = Dictionary(objects.map { ($0.description, $0) }, uniquingKeysWith: { $1 })
        old = Dictionary(base.map { ($0.description, $0) }, uniquingKeysWith: { $1 })
    }

    // MARK: Making it so

    /// Makes the change's allocation true as far as it isn't; waits for nothing.
    ///
    /// - Parameter isBack: whether the release is on its way back.
    package func make(_ change: Change, isBack: Bool) async throws {
        guard let part = parts[change.service], change.work != .waiting else { return }
        if let places = part.places { return try await shift(change, part, places, isBack: isBack) }
        let name = part.workload
        guard let generation = target(of: change, isBack: isBack) else {
            // Nothing is before it: it goes.
            if isBack, applied[name] != "gone", let object = new[name], let item = try await project.placed([object]).first {
                try await project.remove(item)
                tell(name, .done, "Removed")
                applied[name] = "gone"
            }
            return
        }
        guard let object = generation == change.new ? new[name] : old[name] else { return }
        try await apply(object, as: "\(generation)")
    }

    /// The version that the workload shall have; `nil` for none.
    private func target(of change: Change, isBack: Bool) -> Int? {
        let hasNew = change.allocation.contains(change.new, 1)
        guard let old = change.old else { return hasNew ? change.new : nil }
        let hasOld = change.allocation.contains(old, 1)
        return isBack ? (hasOld || !hasNew ? old : change.new) : hasNew ? change.new : old
    }

    /// Applies the object, unless this very form of it was the last that was.
    private func apply(_ object: KubernetesObject, as form: String) async throws {
        let key = object.description
        guard applied[key] != form, let item = try await project.placed([object]).first else { return }
        let live = try await project.client.get(item.resource, object.name, namespace: project.namespace)
        switch try await project.apply(item, over: live) {
        case .unchanged: break
        case .created:
            tell(key, .done, "Created")
            // An autoscaler takes its time, and begins with what is there.
            if let plan = object.plan, object.kind == "Deployment", !Self.counts(object) { try await scale(object.name, to: plan.replicas) }
        case .configured: tell(key, .done, "Configured")
        }
        applied[key] = form
    }

    private func tell(_ object: String, _ state: ProgressEvent.State, _ text: String, reason: String? = nil) {
        if state == .done, ["Created", "Configured", "Removed"].contains(text) { changes += 1 }
        report(ProgressEvent(object.replacing("/", with: " "), state, text, reason: reason, at: now()))
    }

    // MARK: Two versions beside each other

    /// Pods and traffic of two Deployments.
    ///
    /// Which pods the service's Services lead to is chosen by the label that the Deployment controller gives each version
    /// (`pod-template-hash`): the old version's alone, the new one's, or both. With both, shares are those of the pods' numbers; where
    /// an HTTPRoute leads to the service, it has weights besides.
    private func shift(_ change: Change, _ part: ReleaseProgress.Part, _ places: ReleaseProgress.Places, isBack: Bool) async throws {
        guard let object = new[part.workload], let plan = object.plan, change.work != .complete, change.work != .undone else { return }
        let share = change.allocation.newShare
        guard try await direct(share, object, places) else { return }
        let wanted = try await counts(change, places, isBack: isBack)
        if wanted.new > 0 {
            try await apply(Self.variant(of: object, at: places.new, replicas: wanted.new), as: "\(number) × \(wanted.new)")
        } else {
            try await scale(places.new, to: 0)
        }
        try await scale(places.old, to: wanted.old)
        if change.kind == .canary { try await weigh(share, object, plan, places) }
    }

    /// How many pods of each version there shall be. A share that one Service can only give by the number of pods takes more new ones
    /// than the allocation, and above a half fewer old ones, once the new ones are there; on the way back all old ones come first.
    private func counts(
        _ change: Change, _ places: ReleaseProgress.Places, isBack: Bool
    ) async throws -> (old: Int, new: Int) {
        let asked = (old: change.old.map { change.allocation.slots(of: $0).count } ?? 0, new: change.allocation.slots(of: change.new).count)
        guard let share = change.allocation.newShare, !isBack, change.kind == .canary else { return asked }
        let split = PodSplit(share: share, old: asked.old, new: asked.new, most: change.newSlots)
        let fewer = split.old < asked.old && (parts[change.service].flatMap { new[$0.workload] }.map(Self.counts) ?? false)
        guard fewer, try await readyPods(of: places.new) >= split.new else { return (asked.old, split.new) }
        return split.both
    }

    /// The new version's manifest under the name of a place.
    package static func variant(of object: KubernetesObject, at place: String, replicas: Int) -> KubernetesObject {
        var object = object
        var spec = object.content.first { $0.key == "spec" }?.value ?? .map([])
        spec["replicas"] = .number(replicas)
        if place != object.name {
            object.name = place
            object.labels[track] = "next"
            for keys in [["selector", "matchLabels"], ["template", "metadata", "labels"]] {
                spec = setting(track, to: "next", at: keys, in: spec)
            }
        }
        object.content = object.content.map { $0.key == "spec" ? .init("spec", spec) : $0 }
        return object
    }

    /// Tells the pods of the second Deployment from those of the first.
    private static let track = "escale.dev/track"

    private static func setting(_ key: String, to text: String, at keys: [String], in tree: YAMLValue) -> YAMLValue {
        var tree = tree
        guard let first = keys.first else {
            tree[key] = .string(text)
            return tree
        }
        tree[first] = setting(key, to: text, at: Array(keys.dropFirst()), in: tree[first] ?? .map([]))
        return tree
    }

    private func deployment(_ name: String) async throws -> (resource: ClusterClient.APIResource, live: YAMLValue)? {
        guard let resource = try await project.client.resource("Deployment", in: ["apps/v1"]),
            let live = try await project.client.get(resource, name, namespace: project.namespace)
        else { return nil }
        return (resource, live)
    }

    private func scale(_ name: String, to replicas: Int) async throws {
        guard let (resource, live) = try await deployment(name), live.value(at: "spec", "replicas")?.intValue != Int64(replicas) else { return }
        try await project.client.merge(
            .object(["spec": .object(["replicas": .number(replicas)])]), into: resource, name, namespace: project.namespace, manager: "escale-release")
        applied["Deployment/\(name)"] = nil
        tell("Deployment/\(name)", .working, "Scaled", reason: "\(replicas) \(replicas == 1 ? "replica" : "replicas")")
    }

    // MARK: Traffic

    /// The label value of a Deployment's present pods; `nil` where its controller hasn't seen the present version yet.
    private func version(at place: String) async throws -> String? {
        guard let (_, live) = try await deployment(place) else { return nil }
        let isSeen = live.value(at: "status", "observedGeneration")?.intValue ?? 0 >= live.value(at: "metadata", "generation")?.intValue ?? 0
        return isSeen ? try await project.version(of: live)?.value : nil
    }

    /// Leads the service's Services to the version that takes everything, or to both.
    ///
    /// - Returns: `false` where the version isn't known yet; nothing was done then.
    private func direct(_ share: Int?, _ object: KubernetesObject, _ places: ReleaseProgress.Places) async throws -> Bool {
        let place: String? =
            switch share {
            case 0: places.old
            case 100: places.new
            default: nil
            }
        var version: String?
        if let place {
            guard let found = try await self.version(at: place) else { return false }
            version = found
        }
        for service in services(of: object, in: new) { try await apply(service, selecting: version) }
        return true
    }

    /// The Services whose selector is the workload's.
    private func services(of object: KubernetesObject, in objects: [String: KubernetesObject]) -> [KubernetesObject] {
        let selector = object.content.first { $0.key == "spec" }?.value.value(at: "selector", "matchLabels")?.sorted
        return objects.values.filter { other in
            other.kind == "Service" && other.content.first { $0.key == "spec" }?.value["selector"]?.sorted == selector
        }.sorted { $0.name < $1.name }
    }

    private func apply(_ service: KubernetesObject, selecting version: String?) async throws {
        var service = service
        if let version {
            service.content = service.content.map { member in
                member.key == "spec" ? .init("spec", Self.setting("pod-template-hash", to: version, at: ["selector"], in: member.value)) : member
            }
        }
        try await apply(service, as: version ?? "both")
    }

    /// Weights of HTTPRoutes, by two Services of one version each.
    private func weigh(_ share: Int?, _ object: KubernetesObject, _ plan: WorkloadPlan, _ places: ReleaseProgress.Places) async throws {
        let routes = new.values.filter { $0.kind == "HTTPRoute" && $0.service == object.service }.sorted { $0.name < $1.name }
        guard !routes.isEmpty, let main = new["Service/\(object.name)"] else { return }
        guard let oldVersion = try await version(at: places.old), let newVersion = try await version(at: places.new) else { return }
        let sides = sideServices(of: main)
        for (side, version) in [(sides.old, oldVersion), (sides.new, newVersion)] { try await apply(side, selecting: version) }
        for route in routes {
            guard let share, (1...99).contains(share) else {
                try await apply(route, as: "plain")
                continue
            }
            try await apply(
                Self.weighted(route, from: main.name, to: [(sides.old.name, 100 - share), (sides.new.name, share)]), as: "\(share) %")
        }
    }

    private func sideServices(of main: KubernetesObject) -> (old: KubernetesObject, new: KubernetesObject) {
        var (old, new) = (main, main)
        old.name = "\(main.name.prefix(54))-current"
        new.name = "\(main.name.prefix(54))-next"
        return (old, new)
    }

    /// The route with each reference to the Service in as many parts.
    package static func weighted(_ route: KubernetesObject, from name: String, to sides: [(name: String, weight: Int)]) -> KubernetesObject {
        func split(_ reference: YAMLValue) -> [YAMLValue] {
            guard reference["name"]?.stringValue == name else { return [reference] }
            return sides.map { side in
                var part = reference
                part["name"] = .string(side.name)
                part["weight"] = .number(side.weight)
                return part
            }
        }
        var route = route
        route.content = route.content.map { member in
            guard member.key == "spec", let rules = member.value["rules"]?.items else { return member }
            var spec = member.value
            spec["rules"] = .list(
                rules.map { rule in
                    var rule = rule
                    rule["backendRefs"] = .list((rule["backendRefs"]?.items ?? []).flatMap(split))
                    return rule
                })
            return .init("spec", spec)
        }
        return route
    }

    // MARK: The end

    /// Brings the version that stays into the workload's own name, leads the Services to it whatever its version, and removes what was
    /// there for the release alone.
    ///
    /// - Returns: `false` where it has to be called again.
    package func settle(_ change: Change, _ release: Release) async throws -> Bool {
        guard let part = parts[change.service], let places = part.places, let object = new[part.workload] else { return true }
        let isNew = release.state == .succeeded
        let winner = isNew ? places.new : places.old
        let second = places.old == object.name ? places.new : places.old
        if winner != object.name {
            guard let kept = isNew ? object : old[part.workload] else { return true }
            try await apply(kept, as: "itself")
            // What an autoscaler counts, the manifest says nothing of: none would stay none.
            if !Self.counts(kept) { try await scale(kept.name, to: max(1, change.allocation.instances.count)) }
            guard try await isReady(kept) else { return false }
        }
        let former = isNew ? new : old.isEmpty ? new : old
        for service in services(of: object, in: former) { try await apply(service, selecting: nil) }
        for route in former.values where route.kind == "HTTPRoute" && route.service == object.service { try await apply(route, as: "plain") }
        // Who still asks the second one has been told where else to go, by then.
        try await Task.sleep(for: .seconds(1))
        var leftover = KubernetesObject("apps/v1", "Deployment", second, [:])
        for item in try await project.placed([leftover]) { try await remove(item) }
        if change.kind == .canary, let main = new["Service/\(object.name)"] {
            let sides = sideServices(of: main)
            for side in [sides.old, sides.new] {
                leftover = side
                for item in try await project.placed([leftover]) where applied[side.description] != nil { try await remove(item) }
            }
        }
        // The manifest itself, whatever the release made of the number of its replicas.
        if let kept = isNew ? new[part.workload] : old[part.workload] {
            try await apply(kept, as: "itself")
            if !Self.counts(kept) { try await scale(kept.name, to: max(1, change.allocation.instances.count)) }
        }
        return true
    }

    /// Whether the manifest says how many replicas there are.
    private static func counts(_ object: KubernetesObject) -> Bool {
        object.content.first { $0.key == "spec" }?.value["replicas"] != nil
    }

    private func remove(_ item: ClusterProject.Placed) async throws {
        guard try await project.client.get(item.resource, item.object.name, namespace: project.namespace) != nil else { return }
        try await project.remove(item)
        tell(item.object.description, .done, "Removed")
    }

    private func isReady(_ object: KubernetesObject) async throws -> Bool {
        for item in try await project.placed([object]) {
            let standing = try await project.standing(of: item)
            switch standing.phase {
            case .ready: continue
            case .progressing:
                tellOnce(object.description, standing.text)
                return false
            case .failed(let why):
                throw EscaleError(
                    .init("cluster.rollout"), "\(object) did not get ready: \(why); the new version serves from its second Deployment",
                    hint: "`escale kube apply` tries again", details: evidenceDetails(try await project.evidence(of: item)))
            }
        }
        return true
    }

    private func evidenceDetails(_ text: String) -> [EscaleError.Detail] { text.isEmpty ? [] : [.init("what there is to see", text)] }

    private func tellOnce(_ name: String, _ text: String) {
        guard told[name] != text else { return }
        told[name] = text
        tell(name, .working, "Waiting", reason: text)
    }

    // MARK: What there is to see

    package func view(of change: Change, _ release: Release) async throws -> ServiceView {
        let isBack = release.state == .rollingBack
        guard let part = parts[change.service], change.work != .waiting else { return ServiceView() }
        guard let places = part.places else { return try await view(of: change, part.workload, isBack: isBack) }
        var view = ServiceView()
        for (generation, place) in [(change.old, places.old), (change.new, places.new)] {
            guard let generation, let (_, live) = try await deployment(place) else { continue }
            let pods = try await project.version(of: live) == nil ? [] : project.pods(of: live, includesEnding: true)
            let count = change.allocation.slots(of: generation).count
            try await add(pods, of: generation, count, isNew: generation == change.new, to: &view)
            try await probe(change, generation, pods)
        }
        view.figures = figures(of: change)
        view.checks = await results(of: change)
        return view
    }

    /// A workload as one replica.
    private func view(of change: Change, _ name: String, isBack: Bool) async throws -> ServiceView {
        guard let generation = target(of: change, isBack: isBack), let object = generation == change.new ? new[name] : old[name] ?? new[name],
            let item = try await project.placed([object]).first
        else { return ServiceView() }
        let key = "\(name) \(generation)"
        let standing = try await project.standing(of: item)
        let condition: ServiceView.Condition
        switch standing.phase {
        case .ready where object.kind == "Job": condition = .completed
        case .ready:
            let since = readySince[key] ?? now()
            readySince[key] = since
            condition = .ready(since: since)
        case .progressing: condition = .starting
        case .failed(let why):
            let evidence = try await project.evidence(of: item)
            condition = .failed("\(name) did not get ready: \(why)\(evidence.isEmpty ? "" : "\n\(evidence)")")
        }
        switch standing.phase {
        case .ready:
            if told.removeValue(forKey: name) != nil { tell(name, .done, object.kind == "Job" ? "Completed" : "Ready") }
        case .progressing:
            readySince[key] = nil
            tellOnce(name, standing.text)
        case .failed: break
        }
        return ServiceView(replicas: [Instance(generation: generation, slot: 1): condition])
    }

    /// Each pod as a replica: those that are ready have the first slots.
    private func add(_ pods: [YAMLValue], of generation: Int, _ count: Int, isNew: Bool, to view: inout ServiceView) async throws {
        guard count > 0 else {
            for slot in pods.indices { view.replicas[Instance(generation: generation, slot: slot + 1)] = .leaving }
            return
        }
        var conditions: [ServiceView.Condition] = []
        for pod in pods where pod.value(at: "metadata", "deletionTimestamp") == nil { conditions.append(try await condition(of: pod, isNew: isNew)) }
        conditions.sort { Self.rank($0) < Self.rank($1) }
        for slot in 1...count { view.replicas[Instance(generation: generation, slot: slot)] = slot <= conditions.count ? conditions[slot - 1] : .starting }
    }

    /// A failure is seen whatever is ready besides.
    private static func rank(_ condition: ServiceView.Condition) -> Int {
        switch condition {
        case .failed: 0
        case .ready, .completed: 1
        case .starting, .leaving: 2
        }
    }

    private func condition(of pod: YAMLValue, isNew: Bool) async throws -> ServiceView.Condition {
        let name = pod.value(at: "metadata", "name")?.stringValue ?? ""
        if isNew, let why = PodTrouble.failure(of: pod) { return .failed("\(name): \(why)\n\(try await project.evidence(of: pod))") }
        guard PodTrouble.isReady(pod) else {
            guard isNew, readySince[name] != nil else { return .starting }
            return .failed("\(name) is no longer ready\n\(try await project.evidence(of: pod))")
        }
        let since = readySince[name] ?? now()
        readySince[name] = since
        return .ready(since: since)
    }

    private func readyPods(of place: String) async throws -> Int {
        guard let (_, live) = try await deployment(place) else { return 0 }
        return try await project.pods(of: live).count(where: PodTrouble.isReady)
    }

    // MARK: What it is judged by

    /// Asks each ready pod of the version for the analysis' path, a few times.
    private func probe(_ change: Change, _ generation: Int, _ pods: [YAMLValue]) async throws {
        guard let since = change.windowStart, let plan = parts[change.service].flatMap({ new[$0.workload]?.plan }), let port = plan.port,
            let path = plan.terms.settings.analysis?.probePath
        else { return }
        var results = (probes[change.service]?[generation] ?? []).filter { $0.at >= since }.suffix(2000)
        for pod in pods where PodTrouble.isReady(pod) {
            guard let name = pod.value(at: "metadata", "name")?.stringValue else { continue }
            for _ in 0..<5 {
                let begun = ContinuousClock.now
                // No answer, for whatever reason, is a bad one.
                let status = try? await project.client.ask(pod: name, port: port, path: path, namespace: project.namespace)
                results.append(ProbeResult(at: now(), isGood: status.map { $0 < 500 } ?? false, time: ContinuousClock.now - begun))
            }
        }
        probes[change.service, default: [:]][generation] = Array(results)
    }

    private func figures(of change: Change) -> [Int: TrafficFigures] {
        guard let since = change.windowStart, let all = probes[change.service] else { return [:] }
        return all.mapValues { results in
            var figures = TrafficFigures(requests: 0, errors: 0, requestsPerSecond: 0)
            figures.add(results.filter { $0.at >= since })
            return figures
        }
    }

    private func results(of change: Change) async -> [ServiceView.Check] {
        guard let since = change.windowStart, let analysis = parts[change.service].flatMap({ new[$0.workload]?.plan })?.terms.settings.analysis
        else { return [] }
        if let last = checks[change.service], last.at >= since, now() - last.at < analysis.interval { return last.results }
        let results = await AnalysisChecks.run(analysis)
        checks[change.service] = (now(), results)
        return results
    }
}

extension ClusterProject {
    package typealias Time = @Sendable () -> Timestamp
}
