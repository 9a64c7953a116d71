import EscaleAPI
import EscaleCore
import EscaleSystem
import Glibc
import Testing

/// Each kind of bad release: the traffic stays with the version before or returns to it, no request fails that need not,
/// and `up` says why within a screen.
@Suite struct BadReleaseTests {
    @Test("the image is missing")
    func imageMissing() async throws {
        try await expectFailure(saying: ["nowhere:9", "image"], releases: 1) { $0.image = "nowhere:9" }
    }

    @Test("the new version ends at once", arguments: ["rolling", "blue-green", "canary"])
    func endsAtOnce(strategy: String) async throws {
        try await expectFailure(saying: ["exit code 7", "no database at db:5432"]) {
            $0.release = "strategy: \(strategy)"
            $0.serve = "echo no database at db:5432 >&2; exit 7"
        }
    }

    @Test("the new version never becomes healthy", arguments: ["rolling", "blue-green", "canary"])
    func neverHealthy(strategy: String) async throws {
        try await expectFailure(saying: ["unhealthy", "table users is missing"]) {
            $0.release = "strategy: \(strategy)"
            $0.more = ["healthcheck: {test: echo table users is missing; exit 1, interval: 100ms, retries: 2}"]
        }
    }

    @Test("the new version crashes while it is watched", arguments: ["rolling", "blue-green", "canary"])
    func crashesWatched(strategy: String) async throws {
        // What a replica was answering when it crashed is lost. All of blue-green's crash at once: until the weights are
        // back, some tens of milliseconds later, nobody is there to answer.
        try await expectFailure(saying: ["exit code 9", "lost the socket"], losing: 30) {
            $0.release = "strategy: \(strategy)"
            $0.update = "monitor: 10s, failure_action: rollback"
            $0.serve = "httpd -p 80 -h /www; sleep 0.7; echo lost the socket >&2; exit 9"
        }
    }

    @Test("the new version answers every fifth request with an error")
    func errors() async throws {
        let limits = "analysis: {max_error_rate: 5%, min_requests: 30, interval: 500ms}"
        let texts = ["error rate", "(limit 5 %)"]
        try await expectFailure(saying: texts, asking: "/cgi-bin/page", tolerating: "500 ") {
            $0.release = "strategy: canary, steps: [{weight: 50, pause: 20s}], \(limits)"
            $0.page = "[ $((RANDOM % 5)) = 0 ] && echo Status: 500 Bad; echo; echo hello"
        }
    }

    @Test("the new version takes more than twice the time of the old one")
    func slow() async throws {
        let limits = "analysis: {max_p95_ratio: 2, min_requests: 30, interval: 500ms}"
        try await expectFailure(saying: ["p95", "2 times"], asking: "/cgi-bin/page") {
            $0.release = "strategy: canary, steps: [{weight: 50, pause: 20s}], \(limits)"
            $0.page = "sleep 0.15; echo; echo hello"
        }
    }

    @Test("without failure_action a failed rolling update stays as it is until somebody decides")
    func pausedByFailure() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            let project = try escale.project()
            try await project.begin(site)
            let callers = Callers(site)
            site.version = "two"
            site.serve = "echo no database >&2; exit 7"
            let result = try await project.release(site).failed()
            expectText(["release 2 is paused", "exit code 7", "no database", "escale release abort"], in: result)
            #expect(try await project.releases().first?.state == .paused)
            try await project.escale("release", "abort").ok()
            try await project.settles(2, .rolledBack)
            #expect(try await project.hasOneVersion(replicas: 2) == 1)
            for record in try await callers.stop() { #expect(record.bodies == ["one"]) }
        }
    }

    @Test("the new version runs out of memory")
    func outOfMemory() async throws {
        try await expectFailure(saying: ["exit code 137", "out of memory"], losing: 6, first: { $0.replicas = 1 }) {
            $0.update = "monitor: 10s, failure_action: rollback"
            $0.more = ["mem_limit: 30m"]
            $0.serve = "httpd -p 80 -h /www; sleep 0.7; exec tail /dev/zero"
        }
    }

    @Test("the migration fails")
    func migrationFails() async throws {
        func services(_ command: String) -> [String] {
            ["  migrate:", "    image: busybox", "    command: [\"sh\", \"-c\", \"\(command)\"]"]
        }
        try await expectFailure(
            saying: ["migrate", "exit code 4", "column age already exists"],
            first: {
                $0.more = ["depends_on: {migrate: {condition: service_completed_successfully}}"]
                $0.others = services("true")
            },
            change: { $0.others = services("echo column age already exists; exit 4") }
        )
    }

    @Test("another program listens on the newly published port")
    func portClash() async throws {
        let port = try FreePort.take()
        let listener = try Listener(port: port)
        try await expectFailure(saying: ["port", "\(port)", "is taken by"], releases: 1) {
            $0.morePorts = ["{target: 81, published: \"\(port)\"}"]
        }
        withExtendedLifetime(listener) {}
    }

    @Test("the disk is full")
    func diskFull() async throws {
        try await EscaleFixture.with(image: false) { escale in
            try await escale.hasDisk(megabytes: 160)
            try await escale.importBusybox()
            var site = try Site()
            let project = try escale.project()
            try await project.begin(site)
            let callers = Callers(site)
            try await run("fallocate", "-l", "110M", "\(escale.root)/filler").ok()
            site.version = "two"
            let result = try await project.release(site).failed()
            expectText(["free on the disk", "image rm"], in: result)
            #expect(try await project.releases().count == 1)
            try Files.remove("\(escale.root)/filler")
            try await project.release(site).ok()
            try await callers.see("two")
            try await callers.stop()
        }
    }

    @Test(
        "the machine has no room for the replicas that a release adds",
        arguments: [("cpus: '4096'", "CPUs"), ("memory: 900T", "of memory are free")])
    func noRoom(reservation: String, words: String) async throws {
        try await expectFailure(saying: [words, "order: stop-first"], releases: 1) {
            $0.update = "order: start-first"
            $0.deploy = "resources: {reservations: {\(reservation)}}"
        }
    }

    // MARK: How each is tried

    /// Releases a bad version under callers.
    ///
    /// - Parameters:
    ///   - words: what `up` has to say.
    ///   - releases: how many there are afterwards: 2, or 1 where it can't begin.
    ///   - path: what the callers ask for.
    ///   - tolerated: how the failures begin that callers of the new version have to get.
    ///   - lost: how many requests may fail besides, of each caller.
    ///   - first: what the version before has, besides.
    ///   - change: what is bad about the new one.
    private func expectFailure(
        saying words: [String],
        asking path: String = "/",
        tolerating tolerated: String? = nil,
        losing lost: Int = 0,
        releases: Int = 2,
        first: (inout Site) -> Void = { _ in },
        change: (inout Site) -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.page = "sleep 0.03; echo; echo hello"
            site.update = "monitor: 100ms, failure_action: rollback"
            first(&site)
            let project = try escale.project()
            try await project.begin(site)
            let before = Set(try await project.containers().filter { $0.state == .running }.map(Identity.init))
            let callers = Callers(site, path: path)
            site.version = "two"
            change(&site)
            try project.write("compose.yaml", site.yaml)
            let result = try await project.escale("up", "-d")
            try result.failed(sourceLocation: sourceLocation)
            expectText(words, in: result, sourceLocation)
            try await project.hasOneVersion(replicas: site.replicas, sourceLocation: sourceLocation)
            if let tolerated {
                for record in try await callers.end() {
                    #expect(record.failures.allSatisfy { $0.contains(tolerated) }, "\(record.failures)")
                }
            } else if lost > 0 {
                for record in try await callers.end() {
                    #expect(record.failures.count <= lost, "\(record.failures)", sourceLocation: sourceLocation)
                }
            } else {
                try await callers.stop(sourceLocation: sourceLocation)
            }

            // Nothing of it reaches anybody any more.
            let later = Callers(site)
            try await later.see("one", sourceLocation: sourceLocation)
            for record in try await later.stop("afterwards", sourceLocation: sourceLocation) {
                #expect(record.bodies == ["one"], sourceLocation: sourceLocation)
            }
            // A task of the version before may run once more, for a moment.
            var running = before.count + 1
            for _ in 0..<100 where running != before.count {
                running = try await project.containers().count { $0.state == .running }
                if running != before.count { try await Task.sleep(for: .milliseconds(100)) }
            }
            #expect(running == before.count, sourceLocation: sourceLocation)
            let all = try await project.releases()
            #expect(all.count == releases, "\(all)", sourceLocation: sourceLocation)
            #expect(all.last?.isCurrent == true, "\(all)", sourceLocation: sourceLocation)
            if releases == 2 { #expect(all.first?.state == .rolledBack, "\(all)", sourceLocation: sourceLocation) }
        }
    }

    /// The message from `error:` on says it all, in no more than 25 lines.
    private func expectText(
        _ words: [String], in result: RunResult, _ sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let lines = result.errors.split(separator: "\n", omittingEmptySubsequences: false)
        let message = lines.drop { !$0.hasPrefix("error") }
        #expect(message.count <= 25, "\(result)", sourceLocation: sourceLocation)
        let text = message.joined(separator: "\n")
        for word in words {
            #expect(text.contains(word), "doesn't say \"\(word)\": \(result)", sourceLocation: sourceLocation)
        }
    }
}
