import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import EscaleTestSupport
import FoundationEssentials

/// When every world begins.
let begin = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

func after(_ seconds: Double) -> Timestamp { begin + .milliseconds(Int64((seconds * 1000).rounded())) }

/// A project with a release under way, a planner that makes its allocations true, and a host where replicas come, fail
/// and go. Time is a value: it jumps to whatever happens next.
struct World {
    var random: Seeded
    var now = begin
    var sites: [ServiceName: Site] = [:]
    var release: Release
    /// What was allocated when it began, by service.
    var standing: [ServiceName: Set<Instance>] = [:]
    /// Whether it began on a project where the version before was all that stood.
    var hasFreshStart = true
    /// Whether it is of a project that is new as a whole.
    private(set) var beginsTogether = false
    private var hasPredecessor: Bool
    private var names: [ServiceName] = []
    private var wake: Timestamp?
    /// How often it was looked at without time passing.
    private var looks = 0
    private var isBenign = false

    init(seed: UInt64) throws {
        random = Seeded(seed)
        hasPredecessor = random.chance(85)
        names = Array(["a", "b", "c"].prefix(Int.random(in: 1...3, using: &random)))
        release = Release(number: 1, trigger: "up", changes: [], hasPredecessor: false, now: begin)
        for name in names {
            let isExclusive = random.chance(25)
            let isOneShot = !isExclusive && random.chance(15)
            let isNew = !hasPredecessor || random.chance(15)
            var service = Service(name: name)
            service.replicas = Int.random(in: 1...5, using: &random)
            var site = Site(
                service, isOneShot: isOneShot, isExclusive: isExclusive, isChecked: random.chance(50),
                base: isNew ? nil : 1)
            for slot in 1...5 where slot <= site.baseSlots {
                let phase = isOneShot ? Replica.Phase.completed : .ready(since: begin + .seconds(-100))
                site.replicas[Instance(generation: 1, slot: slot)] = Replica(phase: phase)
            }
            site.baseCrashes = random.chance(10)
            if site.baseCrashes, !isOneShot {
                for instance in site.replicas.keys.sorted() {
                    site.replicas[instance]?.changesAt = now + random.time(1...60_000)
                }
            }
            sites[name] = site
        }
        beginRelease(isFirst: true)
    }

    // MARK: Releases

    /// A newer release, after one that ended or over one that didn't.
    mutating func beginRelease(isFirst: Bool) {
        let number = release.number + 1
        let former = release
        release.supersede(by: number, now: now)
        hasFreshStart = isFirst
        beginsTogether = !hasPredecessor
        var changes: [Change] = []
        standing = [:]
        for name in names {
            guard var site = sites[name] else { continue }
            let isConcerned = former.changes.contains { $0.service == name } && !isFirst
            guard isConcerned || random.chance(80) || changes.isEmpty && name == names.last else { continue }
            if site.service.update == nil || random.chance(40) {
                site.service = random.service(name, isExclusive: site.isExclusive, isOneShot: site.isOneShot)
            }
            site.natures[number] = random.chance(55) ? .good : random.one(of: Nature.allCases)
            site.afflicted[number] = Set((1...5).filter { _ in random.chance(60) })
            site.verdicts[number] = random.chance(60) ? .successful : random.one(of: [.failed, .error, .inconclusive])
            let allocated = former.changes.first { $0.service == name }?.allocation.instances ?? []
            standing[name] = allocated.union(site.replicas.filter(\.value.exists).keys)
            let change = Change(
                site.service, kind: kind(of: site), after: Set(changes.map(\.service).filter { _ in random.chance(40) }),
                old: site.base, oldSlots: site.baseSlots, new: number,
                standing: standing[name] ?? [], ready: Set(site.replicas.filter(\.value.isReady).keys),
                isChecked: site.isChecked,
                beginsAt: hasPredecessor ? nil : now)
            site.widenBounds(for: change, isFirst: isFirst)
            sites[name] = site
            changes.append(change)
        }
        release = Release(number: number, trigger: "up", changes: changes, hasPredecessor: hasPredecessor, now: now)
    }

    private func kind(of site: Site) -> Change.Kind {
        if site.isOneShot { return .oneShot }
        guard site.base != nil else { return .added }
        return switch site.service.release.strategy {
        case .rolling: .rolling
        case .blueGreen: .blueGreen
        case .canary: .canary
        }
    }

    /// What a release that succeeded leaves is what the next one can go back to.
    mutating func settleBase() {
        if release.state == .failed { hasPredecessor = false }
        guard release.state == .succeeded else { return }
        hasPredecessor = true
        for change in release.changes {
            sites[change.service]?.base = change.new
            sites[change.service]?.baseSlots = change.newSlots
        }
    }

    // MARK: One step

    /// Looks at the release once, begins what it asks for, and lets time pass until something happens.
    mutating func step() throws {
        let before = release
        wake = release.advance(sites.mapValues(\.view), now: now)
        try checkStep(from: before)
        for change in release.changes {
            try sites[change.service]?.plan(change.allocation, now: now, &random)
        }
        try checkCapacity()
        let next = [wake, sites.values.compactMap(\.nextChange).min()].compactMap { $0 }.min()
        looks = next.map { $0 <= now } == true ? looks + 1 : 0
        guard looks < 20 else { throw Broken(description: "looks again and again at the same moment") }
        guard let next else { return }
        now = max(now, next)
        for name in names { sites[name]?.elapse(now: now, &random) }
        try checkCapacity()
    }

    /// Whether nothing will happen by itself.
    var isAtRest: Bool { wake == nil && sites.values.allSatisfy { $0.nextChange == nil } }

    /// Somebody asks for something; what isn't possible is refused and changes nothing.
    mutating func command() throws {
        let before = release
        do throws(EscaleError) {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: try release.promote(now: now)
            case 1: try release.pause(now: now)
            case 2: try release.resume(now: now)
            default: try release.abort(now: now)
            }
        } catch {
            guard release == before else { throw Broken(description: "a refused command changed something") }
            return
        }
        try checkCommand(from: before)
    }

    /// As if the daemon was killed: what it wrote down is all that is left.
    mutating func restartDaemon() throws {
        let text = try JSONEncoder().encode(release)
        let read = try JSONDecoder().decode(Release.self, from: text)
        guard read == release else { throw Broken(description: "another release after a restart") }
        release = read
    }

    // MARK: The way out

    /// Nothing goes wrong any more, and somebody answers every question: it has to come to its end.
    func checkWayOut() throws {
        var world = self
        for name in names { world.sites[name]?.heal(now: now) }
        for _ in 0..<600 {
            try world.step()
            guard world.release.isLive else { return try world.checkEnd() }
            switch world.release.state {
            case .paused: try world.release.resume(now: world.now)
            case .running: if world.release.waitsForPromotion { try world.release.promote(now: world.now) }
            case .rollingBack, .succeeded, .rolledBack, .failed, .superseded:
                break
            }
        }
        let waits = world.release.changes.map { "\($0.service): \($0.stepText), waits for \($0.waitsFor ?? "nothing")" }
        throw Broken(description: "no way out of \(world.release.state): \(waits)")
    }
}

extension Seeded {
    /// A service with settings of any kind.
    mutating func service(_ name: ServiceName, isExclusive: Bool, isOneShot: Bool) -> Service {
        var service = Service(name: name)
        service.replicas = isOneShot ? 1 : Int.random(in: 1...5, using: &self)
        if isExclusive { service.mounts = [Mount(.volume(key: "v"), target: "/v")] }
        service.update = config(isExclusive: isExclusive)
        if chance(50) { service.rollback = config(isExclusive: isExclusive) }
        guard !isExclusive else { return service }
        service.release.strategy = one(of: [.rolling, .rolling, .blueGreen, .canary])
        service.release.promotesByHand = chance(30)
        service.release.keepWarm = one(of: [.zero, .seconds(5), .seconds(60)])
        if chance(30) { service.release.minHealthy = time(0...3000) }
        if service.release.strategy == .canary {
            let weights = [1, 10, 25, 50, 80, 100].filter { _ in chance(50) }
            service.release.steps = weights.map { weight in
                .init(weight: weight, pause: chance(25) ? .manual : .lasting(time(0...30_000)))
            }
        }
        if chance(60) {
            var analysis = Analysis()
            analysis.maxErrorRate = 0.01
            analysis.inconclusive = one(of: Analysis.Inconclusive.allCases)
            analysis.isDryRun = chance(15)
            if chance(30) { analysis.probePath = "/" }
            service.release.analysis = analysis
        }
        return service
    }

    private mutating func config(isExclusive: Bool) -> UpdateConfig {
        var config = UpdateConfig()
        config.parallelism = Int.random(in: 0...3, using: &self)
        config.delay = one(of: [.zero, .zero, .seconds(3)])
        config.monitor = one(of: [.zero, .seconds(5), .seconds(20)])
        config.failureAction = one(of: UpdateConfig.FailureAction.allCases)
        config.maxFailureRatio = one(of: [0, 0, 0.3, 0.5, 1])
        if !isExclusive { config.order = one(of: [.startFirst, .stopFirst]) }
        return config
    }
}
