import EscaleKubernetes

/// What commands need of `escale image inspect`.
struct InspectedImage: Decodable {
    struct Settings: Decodable {
        var ExposedPorts: [String: Empty]?
        var Volumes: [String: Empty]?
        var StopSignal: String?
        var Healthcheck: Check?
    }

    struct Empty: Decodable {}

    struct Check: Decodable {
        var Test: [String]?
        /// Nanoseconds, as all of them.
        var Interval: Int64?
        var Timeout: Int64?
        var StartPeriod: Int64?
        var StartInterval: Int64?
        var Retries: Int?
    }

    var RepoDigests: [String]?
    var Config: Settings?

    /// The digest by which registries have it; `nil` for one without a name.
    var digest: String? { RepoDigests?.compactMap { $0.split(separator: "@").last.map(String.init) }.first }

    var facts: ImageFacts {
        var facts = ImageFacts()
        facts.digest = digest
        facts.ports = (Config?.ExposedPorts ?? [:]).keys.compactMap { text in
            let parts = text.split(separator: "/")
            return parts.first.flatMap { UInt16($0) }.map { .init(number: $0, isUDP: parts.last == "udp") }
        }
        facts.volumes = (Config?.Volumes ?? [:]).keys.sorted()
        facts.stopSignal = Config?.StopSignal
        if let check = Config?.Healthcheck, let words = check.Test, !words.isEmpty {
            var health = HealthcheckFacts(words: words)
            func duration(_ nanoseconds: Int64?) -> Duration? { nanoseconds.flatMap { $0 > 0 ? .nanoseconds($0) : nil } }
            health.interval = duration(check.Interval)
            health.timeout = duration(check.Timeout)
            health.startPeriod = duration(check.StartPeriod)
            health.startInterval = duration(check.StartInterval)
            health.retries = check.Retries.flatMap { $0 > 0 ? $0 : nil }
            facts.healthcheck = health
        }
        return facts
    }
}
