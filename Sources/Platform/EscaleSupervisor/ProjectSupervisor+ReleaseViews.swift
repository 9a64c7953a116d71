import EscaleAPI
import EscaleCompose
import EscaleCore
import EscalePlan
import EscaleRelease
import EscaleSystem
import FoundationEssentials

/// What the outside sees of releases, and tells them.
extension ProjectSupervisor {
    func command(_ command: ReleaseCommand) throws -> ReleaseSummary {
        guard var current = release, current.release.isLive else { throw EscaleError.noReleaseRuns(name) }
        let before = current.release
        switch command.action {
        case .promote: try current.release.promote(now: now)
        case .pause: try current.release.pause(now: now)
        case .resume: try current.release.resume(now: now)
        case .abort: try current.release.abort(now: now)
        }
        blocked = blocked.filter { !$0.value.whileMaking }
        try keep(current, before)
        converge()
        return summary(current)
    }

    // MARK: Answers

    var releaseSummaries: [ReleaseSummary] {
        kept.values.sorted { $0.number > $1.number }.map { summary($0) }
    }

    /// `nil` for the first release of all, which nobody waits for.
    func protectedSummary(of number: Int) -> ReleaseSummary? {
        kept[number].flatMap { $0.isProtected ? summary($0) : nil }
    }

    func summary(of number: Int) -> ReleaseSummary? { kept[number].map { summary($0) } }

    private func summary(_ record: ReleaseRecord) -> ReleaseSummary {
        let release = record.release
        return ReleaseSummary(
            number: release.number, state: release.publicState, reason: release.reason, trigger: release.trigger,
            createdAt: platform.clock.wall(release.createdAt),
            finishedAt: release.finishedAt.map(platform.clock.wall), services: release.changes.map(\.service),
            isCurrent: release.number == self.record?.proven)
    }

    func releaseDetail(_ number: Int?) throws(EscaleError) -> ReleaseDetail {
        let number = number ?? record?.release
        guard let record = number.flatMap({ kept[$0] }) else { throw EscaleError.releaseMissing(number, of: name) }
        return ReleaseDetail(
            summary: summary(record), changes: record.release.changes.map { detail($0, record) },
            decisions: record.release.decisions.map { decision in
                var decision = decision
                decision.at = platform.clock.wall(decision.at)
                return decision
            })
    }

    private func detail(_ change: Change, _ record: ReleaseRecord) -> ReleaseDetail.Change {
        let isNewest = record.number == self.record?.release
        return ReleaseDetail.Change(
            service: change.service, kind: change.kind.rawValue, step: change.stepText, waitsFor: change.waitsFor,
            old: change.old.flatMap { $0 == change.new ? nil : version($0, change, isNewest) },
            new: version(change.new, change, isNewest))
    }

    private func version(_ generation: Int, _ change: Change, _ isNewest: Bool) -> ReleaseDetail.Version {
        let mine = containers.values.filter {
            isNewest && $0.replica.service == change.service && $0.replica.generation == generation
        }
        let isNew = generation == change.new
        let weights = TrafficShare.weights(candidates(change.service, newGeneration: change.new), newShare: change.allocation.newShare, waits: true)
        let total = weights.values.reduce(0, +)
        let own = mine.reduce(0) { $0 + (weights[$1.id] ?? 0) }
        return ReleaseDetail.Version(
            generation: generation, image: kept[generation]?.images[change.service]?.description ?? "",
            ready: mine.filter { $0.isReady && $0.drainingSince == nil }.count,
            running: mine.filter { $0.processes != nil }.count,
            wanted: isNewest ? change.allocation.slots(of: generation).count : isNew ? change.newSlots : change.oldSlots,
            weight: isNewest && total > 0 ? (own * 100 + total / 2) / total : 0,
            figures: isNewest ? recentFigures[change.service]?[generation] : nil)
    }

    /// The service's replicas as the traffic sees them.
    private func candidates(_ service: ServiceName, newGeneration: Int) -> [TrafficShare.Candidate] {
        replicaContainers.filter { $0.replica.service == service }.map { $0.candidate(newGeneration: newGeneration) }
    }

    /// The release's state now, at every change, and once a second for the figures; ends with the release.
    func watchRelease(_ number: Int?) throws -> AsyncStream<ReleaseDetail> {
        let first = try releaseDetail(number)
        let chosen = first.summary.number
        let changes = changes.listen(buffer: 1)
        let (details, sink) = AsyncStream.makeStream(of: ReleaseDetail.self, bufferingPolicy: .bufferingNewest(4))
        let wanted = Task { await meterWhileWatched() }
        let task = Task {
            let ticker = Task { [changes = self.changes] in
                while true {
                    try await Task.sleep(for: .seconds(1))
                    changes.send(())
                }
            }
            defer {
                ticker.cancel()
                wanted.cancel()
                sink.finish()
            }
            var last: ReleaseDetail?
            sink.yield(first)
            for await _ in changes {
                guard !Task.isCancelled, let detail = try? releaseDetail(chosen) else { return }  // it was forgotten
                if detail != last { sink.yield(detail) }
                last = detail
                if detail.summary.state.isTerminal { return }
            }
        }
        sink.onTermination = { _ in task.cancel() }
        return details
    }

    // MARK: Differences

    /// What differs between two kept releases; without numbers, between the newest and the one before.
    func difference(from: Int?, to: Int?) throws -> ReleaseDifference {
        let numbers = kept.keys.sorted()
        guard let newer = to ?? from.flatMap({ _ in record?.release }) ?? numbers.last else {
            throw EscaleError.releaseMissing(nil, of: name)
        }
        guard let older = from ?? numbers.last(where: { $0 < newer }) else {
            throw EscaleError.nothingToRollBackTo(name)
        }
        guard let old = kept[older] else { throw EscaleError.releaseMissing(older, of: name) }
        guard let new = kept[newer] else { throw EscaleError.releaseMissing(newer, of: name) }
        let names = Set(old.desired.services.map(\.name)).union(new.desired.services.map(\.name)).sorted()
        var lines: [ReleaseDifference.Line] = []
        for service in names {
            let before = try attributes(of: service, in: old)
            let after = try attributes(of: service, in: new)
            for key in Set(before.keys).union(after.keys).sorted() where before[key] != after[key] {
                lines.append(.init(service: service, attribute: key, old: before[key], new: after[key]))
            }
        }
        return ReleaseDifference(from: older, to: newer, lines: lines)
    }

    /// A service as dotted attributes and texts: its model as JSON, flattened, with the image's ID.
    private func attributes(of name: ServiceName, in record: ReleaseRecord) throws -> [String: String] {
        guard let service = record.project.service(name), record.desired.service(name) != nil else { return [:] }
        return try attributes(of: service, image: record.images[name])
    }

    /// The attributes that make the service's containers others than those that it has.
    func changedKeys(of name: ServiceName, to recipe: Recipe) throws -> [String] {
        guard let former = record?.desired.service(name) else { return [] }
        guard let before = recipes[VersionID(service: name, generation: former.generation)] else { return [] }
        let old = try attributes(of: before.shape, image: before.imageID)
        let new = try attributes(of: recipe.shape, image: recipe.imageID)
        return Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }.sorted()
    }

    private func attributes(of service: Service, image: Digest?) throws -> [String: String] {
        let json = try JSONDecoder().decode(JSONTree.self, from: JSONEncoder().encode(service))
        var attributes: [String: String] = [:]
        json.flatten(into: &attributes, at: "")
        if let image { attributes["image id"] = String(image.hex.prefix(12)) }
        return attributes
    }
}

/// Any JSON, for what is only compared and shown.
private enum JSONTree: Decodable {
    case object([String: JSONTree])
    case array([JSONTree])
    case leaf(String)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let object = try? container.decode([String: JSONTree].self) {
            self = .object(object)
        } else if let array = try? container.decode([JSONTree].self) {
            self = .array(array)
        } else if let bool = try? container.decode(Bool.self) {
            self = .leaf("\(bool)")
        } else if let number = try? container.decode(Int.self) {
            self = .leaf("\(number)")
        } else if let number = try? container.decode(Double.self) {
            self = .leaf("\(number)")
        } else {
            self = .leaf(container.decodeNil() ? "" : try container.decode(String.self))
        }
    }

    func flatten(into attributes: inout [String: String], at path: String) {
        switch self {
        case .object(let members):
            for (key, value) in members { value.flatten(into: &attributes, at: path.isEmpty ? key : "\(path).\(key)") }
        case .array(let items):
            for (index, value) in items.enumerated() { value.flatten(into: &attributes, at: "\(path)[\(index)]") }
        case .leaf(let text): attributes[path] = text
        }
    }
}
