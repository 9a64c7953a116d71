import EscaleAPI
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
        if let probes = probes(of: service, generation, since) {
            all.requests += probes.count
            all.errors += probes.filter { !$0.isGood }.count
            if all.p95 == nil {
                let times = probes.map(\.time).sorted()
                func quantile(_ share: Double) -> Duration? {
                    times.isEmpty ? nil : times[min(times.count - 1, Int(Double(times.count) * share))]
                }
                (all.p50, all.p95, all.p99) = (quantile(0.5), quantile(0.95), quantile(0.99))
            }
        }
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
        var results: [ServiceView.Check] = []
        if let query = window.analysis.prometheus { results.append(await ask(query)) }
        if let command = window.analysis.command { results.append(await run(command)) }
        checks[service] = results
        checkedAt[service] = now
    }

    private func run(_ arguments: [String]) async -> ServiceView.Check {
        let name = "command"
        guard let program = arguments.first else { return .init(name: name, verdict: .error, text: "it is empty") }
        do {
            let result = try await Command(program, Array(arguments.dropFirst())).run(timeout: .seconds(60))
            let words = result.tail().split(separator: "\n").last.map { ": \($0)" } ?? ""
            switch result.status {
            case 0: return .init(name: name, verdict: .successful, text: "exit code 0\(words)")
            case 1: return .init(name: name, verdict: .failed, text: "exit code 1\(words)")
            default: return .init(name: name, verdict: .error, text: "exit code \(result.status)\(words)")
            }
        } catch {
            return .init(name: name, verdict: .error, text: EscaleError(wrapping: error).message)
        }
    }

    private struct Answer: Decodable {
        struct Data: Decodable {
            struct Sample: Decodable { let value: [PrometheusValue] }
            let result: [Sample]
        }
        let data: Data
    }

    private func ask(_ query: Analysis.Query) async -> ServiceView.Check {
        let name = "query \(query.query)"
        do {
            let server = try PlainAddress(query.server)
            let path = "\(server.path)/api/v1/query?query=\(query.query.addingPercentEncoding)"
            let response = try await HTTPClient(.tcp(host: server.host, port: server.port))
                .send(HTTPRequest(.get, path), timeout: .seconds(10))
            guard response.status.rawValue == 200 else {
                return .init(name: name, verdict: .error, text: "Prometheus answered \(response.status.rawValue)")
            }
            let answer = try JSONDecoder().decode(Answer.self, from: Data(response.body))
            guard let value = answer.data.result.first?.value.last?.number else {
                return .init(name: name, verdict: .inconclusive, text: "no value")
            }
            let isGood = value >= query.minimum ?? -.infinity && value <= query.maximum ?? .infinity
            let limits = [query.minimum.map { "min \($0)" }, query.maximum.map { "max \($0)" }].compactMap { $0 }
            return .init(
                name: name, verdict: isGood ? .successful : .failed,
                text: "\(value) (\(limits.joined(separator: ", ")))")
        } catch {
            return .init(name: name, verdict: .error, text: EscaleError(wrapping: error).message)
        }
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

/// The answer of one replica to one probe.
struct ProbeResult: Sendable {
    let at: Timestamp
    let isGood: Bool
    let time: Duration
}

/// The base address of a server, such as `http://127.0.0.1:9090/prometheus`.
private struct PlainAddress {
    let host: String
    let port: UInt16
    let path: String

    init(_ text: String) throws(EscaleError) {
        let rest = text.hasPrefix("http://") ? text.dropFirst(7) : Substring(text)
        let authority = rest.prefix { $0 != "/" }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard !text.hasPrefix("https:"), let name = parts.first, !name.isEmpty, parts.count <= 2,
            let port = parts.count == 2 ? UInt16(parts[1]) : 80
        else {
            throw EscaleError(
                .invalidInput, "\"\(text)\" is not the address of a Prometheus server",
                hint: "write it as http://HOST:PORT; TLS is not supported for queries")
        }
        host = String(name)
        self.port = port
        path = String(rest.dropFirst(authority.count).reversed().drop { $0 == "/" }.reversed())
    }
}

/// A member of Prometheus' `[time, "value"]`.
private struct PrometheusValue: Decodable {
    let number: Double?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            number = Double(text)
        } else {
            number = try container.decode(Double.self)
        }
    }
}

extension String {
    /// For a query: everything but letters, digits and `-._~` as `%XX`.
    fileprivate var addingPercentEncoding: String {
        utf8.map { byte in
            let isPlain =
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || [45, 46, 95, 126].contains(byte)
            let hex = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (hex.count == 1 ? "0" + hex : hex)
        }.joined()
    }
}
