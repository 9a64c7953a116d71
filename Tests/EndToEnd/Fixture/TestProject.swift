import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// A directory with a compose file, and what tests ask of the project in it.
struct TestProject: Sendable {
    let fixture: EscaleFixture
    let name: String
    let directory: String

    /// Writes a file of the project, with the directories above it.
    func write(_ file: String, _ text: String) throws {
        try Files.createDirectories(parent("\(directory)/\(file)"))
        try Files.replace("\(directory)/\(file)", Array((text + "\n").utf8))
    }

    /// Runs `escale` in the project's directory.
    func escale(
        _ words: String...,
        input: String = "",
        environment: [String: String] = [:],
        timeout: Duration = .seconds(60)
    ) async throws -> RunResult {
        try await fixture.escale(
            words,
            in: directory,
            input: input,
            environment: environment,
            timeout: timeout
        )
    }

    func begin(_ words: String...) async throws -> RunningProgram {
        try await fixture.begin(words, in: directory)
    }

    /// `escale up -d`, which has to succeed.
    @discardableResult
    func up(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws -> RunResult {
        try await fixture.escale(["up", "-d"] + words, in: directory).ok(sourceLocation: sourceLocation)
    }

    /// `escale down`, which has to succeed.
    @discardableResult
    func down(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws -> RunResult
    {
        try await fixture.escale(["down"] + words, in: directory).ok(sourceLocation: sourceLocation)
    }

    /// Runs a shell command in a container and gives what it printed, without the last line break.
    func shell(
        _ service: String,
        _ script: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let result = try await fixture.escale(["exec", service, "sh", "-c", script], in: directory)
        try result.ok(sourceLocation: sourceLocation)
        return result.output.hasSuffix("\n") ? String(result.output.dropLast()) : result.output
    }

    /// All containers, those that ended too.
    func containers() async throws -> [ContainerSummary] {
        try await escale("ps", "-a", "--format", "json").ok().json()
    }

    func container(_ service: String, _ slot: Int = 1) async throws -> ContainerSummary {
        let all = try await containers()
        guard let found = all.first(where: { $0.service.rawValue == service && $0.slot == slot }) else {
            throw Unexpected("there is no container \(service)-\(slot), but \(all.map(\.name))")
        }
        return found
    }

    /// The container as soon as it is as wanted; the test ends here where it doesn't get there in time.
    func container(
        _ service: String,
        within limit: Duration = patience,
        sourceLocation: SourceLocation = #_sourceLocation,
        until isWanted: (ContainerSummary) -> Bool
    ) async throws -> ContainerSummary {
        let last = try await poll(within: limit, until: isWanted) { try await container(service) }
        guard isWanted(last) else { throw Unexpected("after \(limit) still \(last)", sourceLocation) }
        return last
    }

    func events() async throws -> [Event] {
        let text = try await escale("events", "--format", "json").ok().output
        return try text.split(separator: "\n").map { line in
            try RunResult(
                line: ["events"],
                status: 0,
                output: String(line),
                errors: "",
                duration: .zero,
                timedOut: false
            ).json()
        }
    }

    /// What containers wrote, without names.
    func logs(_ words: String...) async throws -> [String] {
        let result = try await fixture.escale(["logs", "--no-log-prefix"] + words, in: directory).ok()
        return result.output.split(separator: "\n").map(String.init)
    }
}
