import EscaleCore
package import EscaleSystem
import Glibc
import Synchronization

/// Sees to it that a daemon runs on a root.
package struct DaemonLauncher: Sendable {
    let root: EscaleRoot
    /// The daemon's program; `nil` for `escaled` beside this one.
    let executable: String?
    /// What of the caller's environment the daemon gets.
    let environment: [String: String]

    /// How long a daemon may take until it answers.
    static let patience = Duration.seconds(30)

    package init(root: EscaleRoot, executable: String? = nil, environment: [String: String] = [:]) {
        self.root = root
        self.executable = executable
        self.environment = environment
    }

    /// Returns when a daemon answers; starts one where none does. Several callers at once start one.
    ///
    /// - Throws: `daemon.not-installed`; `daemon.did-not-start` with the end of its log.
    func ensureRunning() async throws {
        if try DaemonSocket.answers(root.socket) { return }
        try Files.createDirectories(root.runtime, mode: 0o711)
        try Files.createDirectories(root.state, mode: 0o711)
        let deadline = ContinuousClock.now + Self.patience
        let lock = try await takeLock(
            root.startLock,
            until: deadline,
            "another program is starting it and takes too long"
        )
        // Somebody may have started it while this waited for the lock.
        if try DaemonSocket.answers(root.socket) { return }
        // One that is about to end doesn't answer any more, but no other may start until it is gone.
        _ = try await takeLock(root.lock, until: deadline, "another one is running that doesn't answer")
        try await start(until: deadline)
        withExtendedLifetime(lock) {}
    }

    /// The lock is free again once the descriptor is gone.
    private func takeLock(
        _ path: String,
        until deadline: ContinuousClock.Instant,
        _ complaint: String
    ) async throws -> FileDescriptor {
        let lock = try FileDescriptor(path, O_RDWR | O_CREAT, mode: 0o600)
        while flock(lock.number, LOCK_EX | LOCK_NB) != 0 {
            let error = Errno.current
            guard error.code == EWOULDBLOCK || error.code == EINTR else { throw error.during("lock \(path)") }
            if ContinuousClock.now > deadline {
                throw EscaleError.daemonDidNotStart(complaint, log: root.log, tail: "")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        return lock
    }

    private func start(until deadline: ContinuousClock.Instant) async throws {
        let program = try executable ?? Self.sibling("escaled")
        let log = try FileDescriptor(root.log, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let logStart = try check("find the end of \(root.log)") { lseek(log.number, 0, SEEK_END) }
        let nothing = try FileDescriptor("/dev/null", O_RDWR)
        let command = Command(
            program,
            root.arguments,
            environment: daemonEnvironment(),
            directory: "/",
            newSession: true
        )
        let child = try await command.blockingSpawn([nothing, log, log])
        // Reaps it where it ends; lives on without this process otherwise.
        let status = Ended()
        Task { status.set(try await child.wait()) }
        var pause = Duration.milliseconds(2)
        while try !DaemonSocket.answers(root.socket) {
            if let code = status.value {
                let tail = logTail(from: logStart)
                throw EscaleError.daemonDidNotStart(
                    tail.isEmpty && isDiskFull ? "there is no space left on the disk of \(root.state)" : "it ended with exit code \(code)",
                    log: root.log,
                    tail: tail
                )
            }
            // On a machine that is too busy to tell with what code it ended, that is worth waiting for.
            let hasEnded = ProcessIdentity(pid: child.pid) == nil
            if ContinuousClock.now > deadline + (hasEnded ? Self.patience : .zero) {
                child.signal(SIGTERM)
                throw EscaleError.daemonDidNotStart(
                    "it didn't answer within \(Self.patience.composeText)",
                    log: root.log,
                    tail: logTail(from: logStart)
                )
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    /// A plain environment, with what the host's administrator sets for proxies and certificates.
    private func daemonEnvironment() -> [String: String] {
        let passed = [
            "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR",
        ]
        var result = Command.defaultEnvironment
        for (name, value) in environment
        where passed.contains(name.uppercased()) || (name.hasPrefix("ESCALE_") && name != "ESCALE_ROOT") {
            result[name] = value
        }
        return result
    }

    /// Whether not even a reason can be written down.
    private var isDiskFull: Bool {
        var disk = statvfs()
        return statvfs(root.state, &disk) == 0 && UInt64(disk.f_bavail) * UInt64(disk.f_frsize) < 65536
    }

    /// The last lines that this start added to the log.
    private func logTail(from offset: Int) -> String {
        // The log only explains; where it can't be read the error stands without it.
        guard let bytes = try? Files.read(root.log) else { return "" }
        let lines = String(decoding: bytes.dropFirst(offset), as: UTF8.self).split(separator: "\n")
        return lines.suffix(20).joined(separator: "\n")
    }

    private static func sibling(_ name: String) throws -> String {
        let own = Files.linkTarget("/proc/self/exe") ?? ""
        let directory = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? ""
        guard Files.exists("\(directory)/\(name)") else {
            throw EscaleError.daemonNotInstalled(beside: directory)
        }
        return "\(directory)/\(name)"
    }
}

/// How a child ended, once it did.
private final class Ended: Sendable {
    private let status = Mutex<Int32?>(nil)
    var value: Int32? { status.withLock { $0 } }
    func set(_ code: Int32) { status.withLock { $0 = code } }
}
