import EscaleAPI
import EscaleCore
import Testing

/// A web site in versions that tell themselves by their text, behind a port of the gateway and a plain one.
///
/// Each member goes into the compose file as it is, so that a test shows what it is about and nothing else.
struct Site {
    /// The text of `/`; the container's shell sees it.
    var version = "one"
    var image = "busybox"
    var replicas = 2
    /// Served by the gateway.
    let port: UInt16
    /// Served by address translation, where there is one.
    let plainPort: UInt16?
    /// Members of `x-escale.release`.
    var release = ""
    /// Members of `deploy.update_config`.
    var update = "monitor: 100ms"
    /// Further members of `deploy`.
    var deploy = ""
    /// What the container does before it serves.
    var script = ""
    /// How it serves.
    var serve = "exec httpd -f -p 80 -h /www"
    /// Runs as a CGI program at `/cgi-bin/page`.
    var page = ""
    /// Further members of `ports`.
    var morePorts: [String] = []
    /// Further lines of the service.
    var more: [String] = []
    /// Lines after the service `web`.
    var others: [String] = []

    init(plain: Bool = false) throws {
        port = try FreePort.take()
        plainPort = plain ? try FreePort.take() : nil
    }

    var yaml: String {
        let ports =
            ["{target: 80, published: \"\(port)\", host_ip: 127.0.0.1, app_protocol: http}"]
            + morePorts + (plainPort.map { ["{target: 80, published: \"\($0)\", host_ip: 127.0.0.1}"] } ?? [])
        let settings = ["min_healthy: 50ms", release].filter { !$0.isEmpty }.joined(separator: ", ")
        let deployment = ["update_config: {\(update)}", deploy].filter { !$0.isEmpty }.joined(separator: ", ")
        let steps = [
            script, "mkdir -p /www/cgi-bin", "echo \(version) > /www/index.html",
            page.isEmpty
                ? "" : "printf '%s\\n' '#!/bin/sh' '\(page)' > /www/cgi-bin/page; chmod +x /www/cgi-bin/page",
            serve,
        ]
        let command = steps.filter { !$0.isEmpty }.joined(separator: "; ").replacing("&;", with: "&")
        let lines =
            [
                "image: \(image)",
                "command:",
                "  - sh",
                "  - -c",
                "  - >-",
                "    \(command.replacing("$", with: "$$"))",
                "init: true",
                "scale: \(replicas)",
                "ports: [\(ports.joined(separator: ", "))]",
                "deploy: {\(deployment)}",
                "x-escale: {release: {\(settings)}}",
            ] + more
        return (["services:", "  web:"] + lines.map { "    " + $0 } + others).joined(separator: "\n")
    }
}

extension TestProject {
    /// Brings up the first version and waits until it has proved itself: what comes then is a release.
    func begin(_ site: Site, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try write("compose.yaml", site.yaml)
        try await up("--wait", sourceLocation: sourceLocation)
        try await settles(1, sourceLocation: sourceLocation)
    }

    /// `escale up -d` with this file; how it ends is the test's to say.
    func release(_ site: Site, _ words: String..., timeout: Duration = .seconds(60)) async throws -> RunResult {
        try write("compose.yaml", site.yaml)
        return try await fixture.escale(["up", "-d"] + words, in: directory, timeout: timeout)
    }

    /// Newest first.
    func releases() async throws -> [ReleaseSummary] {
        try await escale("release", "ls", "--format", "json").ok().json()
    }

    func shown(_ number: Int? = nil) async throws -> ShownRelease {
        let words = ["release", "show"] + (number.map { ["\($0)"] } ?? []) + ["--format", "json"]
        return try await fixture.escale(words, in: directory).ok().json()
    }

    /// Waits until a release has the state; the test ends here where it doesn't.
    @discardableResult
    func settles(
        _ number: Int,
        _ state: ReleaseSummary.State = .succeeded,
        within limit: Duration = patience,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> ReleaseSummary {
        let last = try await poll(within: limit, until: { $0?.state == state }) {
            try await releases().first { $0.number == number }
        }
        guard let last, last.state == state else {
            let all = try await escale("release", "show").text
            throw Unexpected(
                "release \(number) isn't \(state) after \(limit) but \(last.map { "\($0)" } ?? "missing")\n\(all)",
                sourceLocation
            )
        }
        return last
    }

    /// Waits until the service runs as so many replicas of one version and nothing else of it is there.
    @discardableResult
    func hasOneVersion(
        _ service: String = "web",
        replicas: Int,
        within limit: Duration = patience,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Int {
        let last = try await poll(within: limit, until: { isOneVersion($0, replicas) }) {
            // A daemon that is killed while it answers has a successor that answers.
            ((try? await containers()) ?? []).filter { $0.service.rawValue == service }
        }
        guard isOneVersion(last, replicas), let first = last.first else {
            throw Unexpected(
                "not \(replicas) replicas of one version after \(limit) but "
                    + "\(last.map { "\($0.name) of \($0.generation): \($0.state)" })",
                sourceLocation
            )
        }
        return first.generation
    }

    private func isOneVersion(_ containers: [ContainerSummary], _ replicas: Int) -> Bool {
        containers.count == replicas && Set(containers.map(\.generation)).count == 1
            && containers.allSatisfy { $0.state == .running }
    }
}

/// What the tests look at of `escale release show --format json`.
struct ShownRelease: Decodable {
    struct Change: Decodable {
        let service: String
        let kind: String
        let step: String
        let old: Version?
        let new: Version?
    }
    struct Version: Decodable {
        let generation: Int
        let ready: Int
        let weight: Int
    }

    let summary: ReleaseSummary
    let changes: [Change]
    let decisions: [ReleaseDecision]

    var texts: [String] { decisions.map(\.text) }
}

/// Callers of all kinds at once: at the gateway's port on new connections and on kept ones, at the plain port on new ones.
struct Callers {
    private let clients: [(name: String, client: TrafficClient)]

    init(_ site: Site, path: String = "/") {
        var clients = [
            ("gateway, new connections", TrafficClient(site.port, .newConnections, path: path)),
            ("gateway, kept connection", TrafficClient(site.port, .keptAlive, path: path)),
        ]
        if let plain = site.plainPort {
            clients.append(("plain port", TrafficClient(plain, .newConnections, path: path)))
        }
        self.clients = clients.map { (name: $0.0, client: $0.1) }
    }

    /// Waits until each got this answer.
    func see(_ body: String, within limit: Duration = patience, sourceLocation: SourceLocation = #_sourceLocation)
        async throws
    {
        for (name, client) in clients {
            let record = try await poll(within: limit, until: { $0.runs.last?.body == body }) { client.soFar }
            guard record.runs.last?.body == body else {
                throw Unexpected("\(name) doesn't get \"\(body)\": \(record.runs.suffix(3)) \(record.failures)", sourceLocation)
            }
        }
    }

    /// Stops them, however they fared.
    func end() async throws -> [TrafficClient.Record] {
        var records: [TrafficClient.Record] = []
        for (_, client) in clients { records.append(try await client.stop()) }
        return records
    }

    /// How many requests failed so far, and how.
    var failures: [String] { clients.flatMap { name, client in client.soFar.failures.map { "\(name): \($0)" } } }

    /// Stops them, and fails the test where one had a request that failed.
    @discardableResult
    func stop(_ place: String = "", sourceLocation: SourceLocation = #_sourceLocation) async throws
        -> [TrafficClient.Record]
    {
        var records: [TrafficClient.Record] = []
        for (name, client) in clients {
            _ = try await poll(until: { $0.requests > 5 }) { client.soFar }
            let record = try await client.stop()
            #expect(
                record.failures.isEmpty,
                "\(place) \(name): \(record.failures.count) of \(record.requests) failed: \(record.failures.prefix(5))",
                sourceLocation: sourceLocation
            )
            #expect(record.requests > 5, "\(place) \(name) asked too rarely", sourceLocation: sourceLocation)
            records.append(record)
        }
        return records
    }
}
