import EscaleCore
import EscaleSystem
import Glibc

/// HAProxy in master-worker mode. All there is to know about it is in its directory, so that the next daemon finds
/// and adopts it.
struct HAProxyProcess: Sendable {
    let directory: String

    var configFile: String { "\(directory)/haproxy.cfg" }
    var accessLog: String { "\(directory)/access.log" }
    var runtime: RuntimeSocket { RuntimeSocket(path: "\(directory)/haproxy.sock") }
    var master: RuntimeSocket { RuntimeSocket(path: "\(directory)/master.sock") }
    private var newConfigFile: String { "\(configFile).new" }
    private var pidFile: String { "\(directory)/pid" }
    private var messages: String { "\(directory)/haproxy.log" }

    /// The master, by its pid file; another process with that number is told by its arguments. Blocks.
    func running() -> ProcessIdentity? {
        guard let text = try? Files.readText(pidFile), let pid = Int32(text.prefix { $0.isNumber }),
            let identity = ProcessIdentity(pid: pid), isOurs(pid)
        else { return nil }
        return identity
    }

    /// Proves a configuration. It replaces nothing yet.
    ///
    /// - Throws: `gateway.config` with HAProxy's words.
    func prove(_ text: String) async throws {
        let program = try Self.program()
        try await blocking { try Files.write(newConfigFile, text.utf8, mode: 0o600) }
        let result = try await Command(program, ["-c", "-q", "-f", newConfigFile]).run(timeout: .seconds(30))
        guard result.status == 0 else { throw EscaleError.haproxyRefuses(Self.findings(result.text)) }
    }

    /// Starts with the proven configuration; returns when it serves.
    func start() async throws {
        try await endAll()
        let program = try Self.program()
        _ = try await blocking { try check("replace \(configFile)") { rename(newConfigFile, configFile) } }
        let said = try await blocking { try messageLength() }
        let arguments = ["-W", "-f", configFile, "-p", pidFile, "-S", "\(master.path),mode,600"]
        let child = try await blocking {
            let logFlags = O_WRONLY | O_CREAT | O_APPEND
            return try Command(program, arguments, directory: "/", newSession: true).spawn([
                FileDescriptor("/dev/null", O_RDONLY), FileDescriptor(accessLog, logFlags, mode: 0o640),
                FileDescriptor(messages, logFlags, mode: 0o640),
            ])
        }
        Task { _ = try? await child.wait() }  // reaped whenever it ends, which verify() notices
        let serves = try await poll(for: .seconds(20)) {
            guard let identity = ProcessIdentity(pid: child.pid) else { return false }
            // The worker answers first; the master then starts itself over, and refuses for a moment.
            guard running() == identity, (try? WorkerList(master: master, runtime: runtime)) != nil else { return nil }
            return true
        }
        if serves == true { return }
        child.signal(SIGKILL)
        throw Self.failure(try await blocking { try newMessages(since: said) })
    }

    /// Puts the proven configuration in force; no listener closes meanwhile. Returns when the new worker serves.
    ///
    /// - Throws: where HAProxy can't, and goes on with the configuration before.
    func reload() async throws {
        let (before, said, previous) = try await blocking {
            try trimMessages()
            let before = try WorkerList(master: master, runtime: runtime)
            let previous = try Files.read(configFile)
            try check("replace \(configFile)") { rename(newConfigFile, configFile) }
            return (before, try messageLength(), previous)
        }
        let serves: Bool?
        do {
            try await blocking { _ = try? master.ask("reload") }  // the master closes it by starting over
            serves = try await poll(for: .seconds(30)) {
                guard let now = try? WorkerList(master: master, runtime: runtime), now.reloads != before.reloads else {
                    return nil
                }
                if now.failures > 0 { return false }
                return now.current != before.current ? true : nil
            }
        } catch {
            try await blocking { try Files.write(configFile, previous, mode: 0o600) }
            throw error
        }
        if serves == true { return }
        try await blocking { try Files.write(configFile, previous, mode: 0o600) }
        throw Self.failure(try await blocking { try newMessages(since: said) })
    }

    /// Ends the master and all workers at once.
    func endAll() async throws {
        let all = try await blocking {
            try Files.list("/proc").compactMap(Int32.init).filter(isOurs).compactMap { ProcessIdentity(pid: $0) }
        }
        for identity in all {
            guard let process = ProcessHandle(identity) else { continue }
            process.signal(SIGTERM)
            let deadline = Task {
                try await Task.sleep(for: .seconds(2))
                process.signal(SIGKILL)
            }
            defer { deadline.cancel() }
            try await process.ended()
        }
    }

    // MARK: -

    private func isOurs(_ pid: Int32) -> Bool {
        guard let bytes = try? Files.read("/proc/\(pid)/cmdline") else { return false }  // it has ended
        let arguments = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return arguments.first?.hasSuffix("haproxy") == true && arguments.contains(configFile)
    }

    /// Asks until there is an answer, every few milliseconds; `nil` after the time is up.
    private func poll(
        for limit: Duration, _ ask: @escaping @Sendable () throws -> Bool?
    ) async throws -> Bool? {
        let end = ContinuousClock.now + limit
        repeat {
            if let answer = try await blocking(ask) { return answer }
            try await Task.sleep(for: .milliseconds(4))
        } while ContinuousClock.now < end
        return nil
    }

    private func messageLength() throws(EscaleError) -> Int {
        Files.exists(messages) ? try Files.read(messages).count : 0
    }

    private func newMessages(since offset: Int) throws(EscaleError) -> String {
        Self.findings(String(decoding: try Files.read(messages).dropFirst(offset), as: UTF8.self))
    }

    /// Each reload says a line for every proxy; what is long past goes.
    private func trimMessages() throws(EscaleError) {
        if try messageLength() > 1 << 20 { try Files.write(messages, []) }
    }

    private static func findings(_ output: String) -> String {
        let alerts = output.split(separator: "\n").filter { $0.hasPrefix("[ALERT]") }
        return (alerts.isEmpty ? output.split(separator: "\n").suffix(20) : alerts).joined(separator: "\n")
    }

    /// A port that is taken has an error of its own: `cannot bind socket (Address already in use) [127.0.0.1:80]`.
    private static func failure(_ output: String) -> EscaleError {
        for line in output.split(separator: "\n") where line.contains("Address already in use") {
            guard let open = line.lastIndex(of: "["), let close = line.lastIndex(of: "]"), open < close else { continue }
            let name = line[line.index(after: open)..<close]
            guard let colon = name.lastIndex(of: ":"), let port = UInt16(name[name.index(after: colon)...]) else { continue }
            return .portInUse(String(name[..<colon]), port)
        }
        return .haproxyFailed(output)
    }

    private static func program() throws(EscaleError) -> String {
        let places = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"]
        guard let program = places.first(where: { access($0, X_OK) == 0 }) else { throw .haproxyMissing() }
        return program
    }
}

/// The processes that serve: the worker in force, and those of before reloads that finish what they have.
struct WorkerList: Hashable, Sendable {
    var current: Int32
    var old: [Int32]
    var reloads: Int
    /// Of the latest reloads, how many failed.
    var failures: Int

    /// Blocks.
    init(master: RuntimeSocket, runtime: RuntimeSocket) throws(EscaleError) {
        let processes = try master.ask("show proc")
        let info = try runtime.ask("show info")
        guard let line = info.split(separator: "\n").first(where: { $0.hasPrefix("Pid: ") }),
            let current = Int32(line.dropFirst(5))
        else { throw .runtime(info) }
        self.current = current
        old = []
        reloads = -1
        failures = 0
        for line in processes.split(separator: "\n") {
            let fields = line.split(whereSeparator: { " \t[]:".contains($0) })
            guard fields.count > 2, let pid = Int32(fields[0]) else { continue }
            if fields[1] == "master" {
                reloads = Int(fields[2]) ?? -1
                if fields.count > 4, fields[3] == "failed" { failures = Int(fields[4]) ?? 0 }
            } else if fields[1] == "worker", pid != current {
                old.append(pid)
            }
        }
    }
}
