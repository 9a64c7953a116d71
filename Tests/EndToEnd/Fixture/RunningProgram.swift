import EscaleCore
import EscaleSystem
import FoundationEssentials
import Glibc
import Testing

/// How a program ended and what it wrote.
struct RunResult: Sendable, CustomStringConvertible {
    let line: [String]
    let status: Int32
    let output: String
    let errors: String
    let duration: Duration
    let timedOut: Bool

    /// Both streams, for looking for text wherever it went.
    var text: String { output + errors }

    var description: String {
        """
        `\(line.joined(separator: " "))` ended with \(status) after \(duration)\(timedOut ? " (killed: too slow)" : "")
        --- output
        \(output)
        --- errors
        \(errors)
        """
    }

    /// Itself, where the program succeeded; else the test ends here and shows all of it.
    @discardableResult
    func ok(sourceLocation: SourceLocation = #_sourceLocation) throws -> RunResult {
        guard status == 0 else { throw Unexpected(description, sourceLocation) }
        return self
    }

    /// Itself, where the program failed by itself; else the test ends here.
    @discardableResult
    func failed(_ status: Int32 = 1, sourceLocation: SourceLocation = #_sourceLocation) throws -> RunResult {
        guard self.status == status, !timedOut else {
            throw Unexpected("expected status \(status): \(self)", sourceLocation)
        }
        return self
    }

    /// What it wrote to its output, as a value.
    func json<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(output.utf8))
        } catch {
            throw Unexpected("no JSON of \(type) (\(error)): \(self)")
        }
    }
}

/// Why a test can't go on; recorded where it happened.
struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String, _ sourceLocation: SourceLocation? = nil) {
        let place = sourceLocation.map { "\($0.fileName):\($0.line): " } ?? ""
        self.description = place + description
    }
}

/// A JSON value that a test wants to look into without a type for it.
enum JSONValue: Decodable, Sendable {
    case text(String)
    case other

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = (try? container.decode(String.self)).map(JSONValue.text) ?? .other
    }

    var text: String? {
        switch self {
        case .text(let text): text
        case .other: nil
        }
    }
}

/// A program that was started; what it writes goes to files, so that it never waits for a reader.
final class RunningProgram: Sendable {
    let line: [String]
    private let child: ChildProcess
    private let waiting: Task<Int32, any Error>
    private let outputFile: String
    private let errorFile: String
    private let began = ContinuousClock.now

    init(
        _ line: [String],
        directory: String,
        input: String,
        environment: [String: String],
        scratch: String
    ) async throws {
        self.line = line
        let prefix = "\(scratch)/.run-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
        outputFile = prefix + ".out"
        errorFile = prefix + ".err"
        try Files.write(prefix + ".in", Array(input.utf8))
        let streams = [
            try FileDescriptor(prefix + ".in", O_RDONLY),
            try FileDescriptor(outputFile, O_WRONLY | O_CREAT | O_APPEND),
            try FileDescriptor(errorFile, O_WRONLY | O_CREAT | O_APPEND),
        ]
        let program = line[0].hasPrefix("/") ? line[0] : try Programs.find(line[0])
        let child = try await Command(
            program,
            Array(line.dropFirst()),
            environment: environment,
            directory: directory
        ).blockingSpawn(streams)
        self.child = child
        waiting = Task { try await child.wait() }
    }

    var pid: Int32 { child.pid }
    /// What it wrote so far.
    var output: String { (try? Files.readText(outputFile)) ?? "" }
    var errors: String { (try? Files.readText(errorFile)) ?? "" }

    func signal(_ signal: Int32) { child.signal(signal) }

    /// Waits for its end; one that takes longer is killed.
    func result(within timeout: Duration = patience) async throws -> RunResult {
        let timer = Task { [child] in
            try await Task.sleep(for: timeout)
            child.signal(SIGKILL)
            return true
        }
        let status = try await waiting.value
        timer.cancel()
        let timedOut = (try? await timer.value) ?? false  // cancelled: it was quick enough
        return RunResult(
            line: line,
            status: status,
            output: output,
            errors: errors,
            duration: ContinuousClock.now - began,
            timedOut: timedOut
        )
    }

    /// Kills it where it still runs.
    func end() async throws {
        child.signal(SIGKILL)
        _ = try await waiting.value
    }
}

/// Runs a program of the host to its end.
func run(_ line: String..., timeout: Duration = .seconds(20)) async throws -> RunResult {
    try await run(line, timeout: timeout)
}

func run(_ line: [String], timeout: Duration = .seconds(20)) async throws -> RunResult {
    let scratch = "/tmp/e2e-run-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
    try Files.createDirectories(scratch)
    defer { try? Files.remove(scratch) }  // best effort: it is under /tmp
    return try await RunningProgram(
        line,
        directory: "/tmp",
        input: "",
        environment: Command.defaultEnvironment,
        scratch: scratch
    ).result(within: timeout)
}
