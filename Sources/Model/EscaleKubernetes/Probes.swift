import EscaleCompose
import EscaleCore
import EscaleYAML

/// Health checks as probes, hooks as a lifecycle.
extension KubernetesMapping {
    struct Probes {
        var startup: YAMLValue?
        var readiness: YAMLValue?
        var liveness: YAMLValue?
    }

    /// Docker's defaults, where neither the file nor the image says anything.
    private struct Rhythm {
        var interval = 30
        var timeout = 30
        var retries = 3
        var startPeriod = 0
        var startInterval: Int?
    }

    func probes(of service: Service) -> Probes {
        let check = service.healthcheck
        let facts = images[service.imageName(in: project.name)]?.healthcheck
        guard let action = action(of: service, facts) else { return Probes() }
        var rhythm = Rhythm()
        func seconds(_ own: Duration?, _ image: Duration?) -> Int? { (own ?? image).map(Self.seconds) }
        rhythm.interval = max(1, seconds(check?.interval, facts?.interval) ?? rhythm.interval)
        rhythm.timeout = max(1, seconds(check?.timeout, facts?.timeout) ?? rhythm.timeout)
        rhythm.retries = max(1, check?.retries ?? facts?.retries ?? rhythm.retries)
        rhythm.startPeriod = seconds(check?.startPeriod, facts?.startPeriod) ?? 0
        rhythm.startInterval = seconds(check?.startInterval, facts?.startInterval)

        func probe(period: Int, failures: Int) -> YAMLValue {
            .map(
                [action] + [
                    .init("periodSeconds", .number(period)), .init("timeoutSeconds", .number(rhythm.timeout)),
                    .init("failureThreshold", .number(failures)),
                ])
        }
        var probes = Probes()
        probes.readiness = probe(period: rhythm.interval, failures: rhythm.retries)
        if service.onUnhealthy != .ignore { probes.liveness = probes.readiness }
        if rhythm.startPeriod > 0 {
            // Until the first success nothing else is asked, and the container has the whole start period for it.
            let period = max(1, min(rhythm.startInterval ?? 5, rhythm.interval))
            let failures = (rhythm.startPeriod + period - 1) / period + rhythm.retries
            probes.startup = probe(period: period, failures: failures)
        }
        return probes
    }

    /// What a probe does, as the member of the probe.
    private func action(of service: Service, _ facts: HealthcheckFacts?) -> YAMLValue.Member? {
        if let probe = service.probe {
            switch probe.kind {
            case .http(let path):
                return .init("httpGet", .object(["path": .string(path), "port": .number(Int(probe.port))]))
            case .tcp: return .init("tcpSocket", .object(["port": .number(Int(probe.port))]))
            }
        }
        switch service.healthcheck?.test {
        case .some(.none): return nil
        case .exec(let words): return Self.exec(words)
        case .shell(let line): return Self.exec(["/bin/sh", "-c", line])
        case nil: break
        }
        switch facts?.words.first {
        case "CMD": return Self.exec(Array(facts?.words.dropFirst() ?? []))
        case "CMD-SHELL": return Self.exec(["/bin/sh", "-c"] + (facts?.words.dropFirst() ?? []))
        default: return nil
        }
    }

    /// Words of a probe or a hook are taken as they are, without variables.
    static func exec(_ words: [String]) -> YAMLValue.Member {
        .init("exec", .object(["command": .strings(words)]))
    }

    /// Whole seconds, rounded up.
    static func seconds(_ duration: Duration) -> Int {
        Int(clamping: (duration.nanoseconds + 999_999_999) / 1_000_000_000)
    }

    // MARK: The end

    /// How long pods go on after they were told to end, while the cluster learns not to send them anything: `release.drain`, but
    /// no longer than Kubernetes takes for it.
    func drain(of service: Service) -> Int {
        ports(of: service).isEmpty ? 0 : min(5, Self.seconds(service.release.drain))
    }

    func grace(of service: Service) -> Int {
        // What is to be killed is not asked first, and from inside nobody can kill a container's first process.
        let patience = signal(of: service) == Self.killing ? 1 : Self.seconds(service.stopGracePeriod ?? .seconds(10))
        return patience + drain(of: service)
    }

    private static let killing = "KILL"

    /// What happens right after the start and before the end.
    mutating func lifecycle(of service: Service) -> YAMLValue? {
        let (after, before) = (service.hooks?.postStart ?? [], service.hooks?.preStop ?? [])
        var last = before.map { self.shell($0, of: service, "pre_stop") }
        let drain = drain(of: service)
        if drain > 0 { last.insert("sleep \(drain)", at: 0) }
        if let signal = signal(of: service), signal != Self.killing {
            note(
                .approximated, service, "stop_signal",
                "a hook sends SIG\(signal) to the container's first process with `kill`, which the image has to have")
            last.append("kill -s \(signal) 1; while kill -0 1 2>/dev/null; do sleep 0.2; done")
        }
        let first = after.map { self.shell($0, of: service, "post_start") }
        func handler(_ lines: [String]) -> YAMLValue? {
            guard !lines.isEmpty else { return nil }
            if lines.count == 1, drain > 0, lines[0] == "sleep \(drain)" { return .map([Self.exec(["sleep", "\(drain)"])]) }
            return .map([Self.exec(["/bin/sh", "-c", lines.joined(separator: "; ")])])
        }
        return .filledObject(["postStart": handler(first), "preStop": handler(last)])
    }

    /// The signal that ends it, where that isn't what a container gets anyway: the image's own, else SIGTERM.
    private func signal(of service: Service) -> String? {
        guard let text = service.stopSignal else { return nil }
        func plain(_ name: String) -> String {
            let upper = name.uppercased()
            let bare = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
            return ["15": "TERM", "9": "KILL", "3": "QUIT", "2": "INT", "1": "HUP"][bare] ?? bare
        }
        let usual = images[service.imageName(in: project.name)]?.stopSignal ?? "TERM"
        return plain(text) == plain(usual) ? nil : plain(text)
    }

    private mutating func shell(_ hook: Hook, of service: Service, _ attribute: String) -> String {
        if hook.user != nil || hook.isPrivileged == true {
            note(.lost, service, attribute, "a hook runs as the container does: its `user` and `privileged` are left out")
        }
        let words = hook.command.map(Self.quoted).joined(separator: " ")
        let variables = hook.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.quoted($0.value)) " }.joined()
        let line = variables + words
        return hook.workingDirectory.map { "(cd \(Self.quoted($0)) && \(line))" } ?? line
    }

    /// A word of a shell's line.
    static func quoted(_ word: String) -> String {
        let isPlain = !word.isEmpty && word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "@"):
                true
            default: false
            }
        }
        return isPlain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
