import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// The order in which services start and stop.
@Suite struct DependencyTests {
    @Test(
        "services start after what they need has started, is healthy, or has done its work; they stop in reverse"
    )
    func order() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web: {image: busybox, command: sleep 600, stop_signal: SIGKILL, depends_on: [api]}
                  api:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    depends_on: {migrate: {condition: service_completed_successfully}}
                  migrate:
                    image: busybox
                    command: ["sh", "-c", "sleep 0.6"]
                    depends_on: {db: {condition: service_healthy}}
                  db:
                    image: busybox
                    command: ["sh", "-c", "sleep 0.4; touch /ready; exec sleep 600"]
                    stop_signal: SIGKILL
                    healthcheck: {test: test -e /ready, interval: 5s}
                """
            )
            try await project.up()
            var started: [String: Timestamp] = [:]
            var finished: [String: Timestamp] = [:]
            for container in try await project.containers() {
                started[container.service.rawValue] = container.startedAt
                finished[container.service.rawValue] = container.finishedAt
            }
            let (db, migrate) = (try #require(started["db"]), try #require(started["migrate"]))
            let (api, web) = (try #require(started["api"]), try #require(started["web"]))
            #expect(
                migrate - db >= .milliseconds(400),
                "migrate waited until db was healthy: \(migrate - db)"
            )
            let migrated = try #require(finished["migrate"])
            #expect(
                api >= migrated && migrated - migrate >= .milliseconds(300),
                "api waited for migrate's end"
            )
            #expect(web >= api)

            // As with docker compose, the next up starts what has ended again, and touches nothing that runs.
            try await project.up()
            let again = try await project.container("migrate") { $0.state == .exited }
            #expect(try #require(again.startedAt) > migrate)
            #expect(try await project.container("api").startedAt == api)

            try await project.down()
            let ends = try await project.events().filter { $0.kind == "container.exited" }.map(\.subject)
            #expect(ends.suffix(3) == ["app-web-1", "app-api-1", "app-db-1"], "\(ends)")
        }
    }

    @Test("a one-shot that fails, fails up with its exit code and the end of its log")
    func failingJob() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  migrate: {image: busybox, command: ["sh", "-c", "echo 'relation exists' >&2; exit 9"]}
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    depends_on: {migrate: {condition: service_completed_successfully}}
                """
            )
            let result = try await project.escale("up", "-d").failed()
            for text in ["app-migrate-1", "exit code 9", "relation exists", "escale logs migrate"] {
                #expect(result.errors.contains(text), "\"\(text)\" is missing:\n\(result)")
            }
            #expect(
                try await project.containers().allSatisfy {
                    $0.service.rawValue != "web" || $0.startedAt == nil
                }
            )
            let again = try await project.escale("up", "-d").failed()
            #expect(again.errors.contains("exit code 9"), "the next up tries again and says so too: \(again)")
        }
    }

    @Test("a dependency that gets unhealthy fails up with the probe's output; one without a check is refused")
    func unhealthyDependency() async throws {
        try await EscaleFixture.with { escale in
            let yaml = { (check: String) in
                """
                services:
                  db: {image: busybox, command: sleep 600, stop_signal: SIGKILL\(check)}
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    depends_on: {db: {condition: service_healthy}}
                """
            }
            let project = try escale.project(
                "app",
                yaml(", healthcheck: {test: 'echo no socket; exit 1', interval: 200ms, retries: 2}")
            )
            let result = try await project.escale("up", "-d").failed()
            #expect(result.errors.contains("app-db-1") && result.errors.contains("no socket"), "\(result)")
            try project.write("compose.yaml", yaml(""))
            let unchecked = try await project.escale("up", "-d").failed()
            #expect(
                unchecked.errors.contains("db") && unchecked.errors.contains("healthcheck"),
                "\(unchecked)"
            )
        }
    }

    @Test("what is not required may fail")
    func notRequired() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  extra: {image: busybox, command: ["sh", "-c", "exit 1"]}
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    depends_on: {extra: {condition: service_completed_successfully, required: false}}
                """
            )
            try await project.up()
            #expect(try await project.container("web").state == .running)
        }
    }
}
