import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// The daemon is killed between every two steps of a release: after each entry in its journal and each state of the
/// release that it writes down. The next daemon brings the release to an end, and no caller notices anything.
@Suite struct CrashTests {
    enum Course: String, CaseIterable, Sendable {
        case succeeds
        /// The new version serves for a moment and becomes unhealthy while it is watched; the release goes back.
        case fails
    }

    /// One lane each: its releases follow one another, with the daemon killed at entry 1, 2, 3 … until one release is
    /// through before the daemon has come so far.
    @Test(
        "killed at every entry of a release, the next daemon ends it and no request fails",
        arguments: ["rolling", "blue-green", "canary"], Course.allCases
    )
    func everyEntry(strategy: String, course: Course) async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            let monitor = course == .succeeds ? "50ms" : "5s"
            site.update = "monitor: \(monitor), failure_action: rollback"
            site.release = Self.settings(strategy)
            let project = try escale.project()
            try await project.begin(site)
            var standing = site.version
            let callers = Callers(site)
            try await callers.see(standing)

            var entry = 0
            var wasReached = true
            while wasReached {
                entry += 1
                let place = "\(strategy) that \(course.rawValue), killed at entry \(entry):"
                guard entry < 100 else { throw Unexpected("\(place) no release is through without it") }
                site.version = course == .succeeds && entry.isMultiple(of: 2) ? "one" : "two"
                if course == .fails {
                    site.script = "(sleep 0.4; echo entry \(entry) > /ill) &"
                    site.more = ["healthcheck: {test: test ! -e /ill, interval: 200ms, retries: 1}"]
                }
                wasReached = try await round(entry, site, project, course, place)
                if course == .succeeds { standing = site.version }
                try await callers.see(standing)
                guard callers.failures.isEmpty else { break }
            }
            // What comes now is no release, and must not end at an entry.
            try await escale.killDaemon()
            #expect(entry > 15, "\(strategy) has more entries than \(entry)")
            try await callers.stop("\(strategy) that \(course.rawValue), until entry \(entry):")
        }
    }

    /// One release with a daemon that is killed at the entry.
    ///
    /// - Returns: whether it came so far.
    private func round(
        _ entry: Int, _ site: Site, _ project: TestProject, _ course: Course, _ place: String
    ) async throws -> Bool {
        let escale = project.fixture
        let daemon = try await escale.startDaemon(crashingAt: entry)
        let result = try await project.release(site, timeout: .seconds(30))
        let isAsExpected = result.status == (course == .succeeds ? 0 : 1)
        guard isAsExpected, !result.timedOut else {
            throw Unexpected("\(place) \(result)\n\(try await project.escale("release", "show").text)")
        }
        do {
            try await project.hasOneVersion(replicas: 2)
        } catch {
            throw Unexpected("\(place) \(error)\n\(try await project.escale("release", "show").text)")
        }
        let all = try await poll(until: { $0 != nil }) { try? await project.releases() }
        let newest = try #require(all?.first)
        #expect(newest.state == (course == .succeeds ? .succeeded : .rolledBack), "\(place) \(newest)")
        let kept = try await poll(until: { $0.count == 2 }) {
            try Files.list("\(escale.root)/state/containers")
        }
        #expect(kept.count == 2, "\(place) left over: \(kept)")
        // The last step's entry may come a moment after what it did.
        try await Task.sleep(for: .milliseconds(50))
        return escale.daemon() != daemon
    }

    private static func settings(_ strategy: String) -> String {
        switch strategy {
        case "blue-green": "strategy: blue-green, keep: 50ms"
        case "canary": "strategy: canary, steps: [{weight: 50, pause: 50ms}]"
        default: "strategy: rolling"
        }
    }
}
