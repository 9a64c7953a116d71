import EscaleAPI
import EscaleAnalysis
import EscaleCompose
import EscaleCore
import EscaleHTTP
import EscaleNetlink
import EscaleRelease
import EscaleSystem
import FoundationEssentials

/// The figures that a release is judged by, gathered while it asks for them.
extension ProjectSupervisor {
    /// Gathers until no change of the release has a window any more.
    func judgeWindows() {
        guard judging == nil, !windows.isEmpty else { return }
        judging = Task {
            while !windows.isEmpty {
                for window in windows { await gather(window) }
                converge()
                // Nobody cancels it; it ends with the last window.
                try? await Task.sleep(for: .milliseconds(250))
            }
            judging = nil
        }
    }

    private struct Window {
        let change: Change
        let since: Timestamp
        let analysis: Analysis
    }

    private var windows: [Window] {
        guard let record = release, record.release.isLive else { return [] }
        return record.release.changes.compactMap { change in
            guard let since = change.windowStart, let analysis = record.project.service(change.service)?.release.analysis
            else { return nil }
            return Window(change: change, since: since, analysis: analysis)
        }
    }

    private func gather(_ window: Window) async {
        let service = window.change.service
        if let path = window.analysis.probePath { await probe(service, window.change.new, path, since: window.since) }
        do {
            let new = try await figures(of: service, window.change.new, since: window.since)
            var both = [window.change.new: new]
            if let old = window.change.old { both[old] = try await figures(of: service, old, since: window.since) }
            figures[service] = both
        } catch {
            platform.log.warning("the access log can't be read", ["error": "\(error)"])
        }
        await runChecks(window)
    }

    private func figures(of service: ServiceName, _ generation: Int, since: Timestamp) async throws -> TrafficFigures {
        var all = try await platform.meter.figures(of: addresses(of: service, generation), since: since, now: now)
        // Probes of ours go past the gateway.
        if let probes = probes(of: service, generation, since) { all.add(probes) }
        return all
    }

    private func addresses(of service: ServiceName, _ generation: Int) -> [IPv4Address] {
        containers.values.filter { $0.replica.service == service && $0.replica.generation == generation }
            .compactMap { $0.addresses.first?.address }
    }

    // MARK: Probes as traffic

    /// Asks each ready replica of the version for the path, a few times.
    private func probe(_ service: ServiceName, _ generation: Int, _ path: String, since: Timestamp) async {
        let version = VersionID(service: service, generation: generation)
        // Of a step that lasts for hours the newest speak.
        probeResults[version] = probeResults[version]?.filter { $0.at >= since }.suffix(2000)
        for container in containers.values
        where container.replica.service == service && container.replica.generation == generation && container.isReady {
            guard let address = container.addresses.first?.address,
                let port = container.httpPort ?? container.ports.first(where: { $0.transport == .tcp })?.containerPort
            else { continue }
            let client = try? HTTPClient(.tcp(host: "\(address)", port: port))
            for _ in 0..<5 {
                let begun = ContinuousClock.now
                // No answer, for whatever reason, is a bad one.
                let answer = try? await client?.send(HTTPRequest(.get, path), timeout: .seconds(5))
                let isGood = answer.map { $0.status.rawValue < 500 } ?? false
                probeResults[version, default: []].append(
                    .init(at: now, isGood: isGood, time: ContinuousClock.now - begun))
            }
        }
    }

    private func probes(of service: ServiceName, _ generation: Int, _ since: Timestamp) -> [ProbeResult]? {
        probeResults[VersionID(service: service, generation: generation)]?.filter { $0.at >= since }
    }

    // MARK: Queries and commands

    private func runChecks(_ window: Window) async {
        let service = window.change.service
        if let last = checkedAt[service], last >= window.since, now - last < window.analysis.interval { return }
        guard window.analysis.prometheus != nil || window.analysis.command != nil else { return }
        checks[service] = await AnalysisChecks.run(window.analysis)
        checkedAt[service] = now
    }

    // MARK: While somebody watches

    /// Keeps the figures of the last seconds up to date.
    func meterWhileWatched() async {
        while !Task.isCancelled {
            var recent: [ServiceName: [Int: TrafficFigures]] = [:]
            let since = now + .seconds(-5)
            for change in release?.release.changes ?? [] {
                for generation in Set([change.new, change.old].compactMap { $0 }) {
                    // A log that can't be read leaves the display without figures.
                    recent[change.service, default: [:]][generation] = try? await platform.meter.figures(
                        of: addresses(of: change.service, generation), since: since, now: now)
                }
            }
            recentFigures = recent
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
        }
    }
}
