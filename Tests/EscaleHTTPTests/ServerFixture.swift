import Dispatch
import EscaleCore
import EscaleHTTP
import Glibc

/// A server on a Unix socket in a directory of its own; stopped and removed after the body.
struct ServerFixture {
    let server: HTTPServer
    let client: HTTPClient
    let path: String

    @discardableResult
    static func with<Outcome>(
        bodyLimit: ByteCount = ByteCount(64 << 20),
        _ handler: @escaping HTTPServer.Handler,
        _ body: (ServerFixture) async throws -> Outcome
    ) async throws -> Outcome {
        try await withScratchDirectory { directory in
            let path = directory + "/s.sock"
            let server = HTTPServer(address: .unix(path: path), bodyLimit: bodyLimit, handler: handler)
            try server.start()
            let outcome: Result<Outcome, any Error>
            do {
                outcome = .success(
                    try await body(
                        Self(server: server, client: try HTTPClient(.unix(path: path)), path: path)
                    )
                )
            } catch {
                outcome = .failure(error)
            }
            await server.stop(grace: .zero)
            return try outcome.get()
        }
    }
}

@discardableResult
func withScratchDirectory<Outcome>(_ body: (String) async throws -> Outcome) async throws -> Outcome {
    let directory = "/tmp/escale-http-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    mkdir(directory, 0o700)
    defer {
        for name in ["s.sock", "input"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }
    return try await body(directory)
}

/// A flag that one task sets and others wait for.
actor Signal {
    private var isSet = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func set() {
        isSet = true
        waiters.forEach { $0.resume() }
        waiters = []
    }

    func wait() async {
        if !isSet { await withCheckedContinuation { waiters.append($0) } }
    }

    /// Whether it is set before the time is up.
    func isSet(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while !isSet, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(5)) }
        return isSet
    }
}

/// Sleeps until its task is cancelled, then tells.
func sleepUntilCancelled(_ cancelled: Signal) async {
    try? await Task.sleep(for: .seconds(600))
    if Task.isCancelled { await cancelled.set() }
}

/// Runs curl(1) on a thread of its own and gives what it printed.
func curl(_ arguments: String) async -> String {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
            guard let pipe = popen("curl -sS --max-time 20 \(arguments) 2>&1", "r") else {
                return continuation.resume(returning: "no curl")
            }
            var output: [UInt8] = []
            var byte = fgetc(pipe)
            while byte != EOF {
                output.append(UInt8(truncatingIfNeeded: byte))
                byte = fgetc(pipe)
            }
            pclose(pipe)
            continuation.resume(returning: String(decoding: output, as: UTF8.self))
        }
    }
}

func writeFile(_ path: String, _ bytes: [UInt8]) {
    let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
}

extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }
}
