import EscaleCore
import EscaleNetlink
import EscaleSystem
import Glibc

/// The dnsmasq process on one resolver address. All there is to know about it is in its directory, so that the next
/// daemon finds and adopts it.
struct ResolverProcess: Sendable {
    let directory: String
    let address: IPv4Address

    private var configFile: String { "\(directory)/dnsmasq.conf" }
    var pidFile: String { "\(directory)/pid" }
    var localNamesFile: String { "\(directory)/local" }

    /// Makes a process with this configuration and these local names run. One that does already is left alone.
    func ensure(_ config: ResolverConfig, localNames: String, log: Log) async throws {
        let text = config.text
        let isChanged = try await blocking { try writeLocalNames(localNames) }
        let adopted: (process: ProcessIdentity?, config: String?) = try await blocking {
            (self.running(), try? Files.readText(configFile))  // no file: there is nothing to adopt
        }
        if let running = adopted.process, adopted.config == text {
            if isChanged { ProcessHandle(running)?.signal(SIGHUP) }
            return
        }
        if let running = adopted.process { try await Self.end(running) }
        try await blocking { try Files.write(configFile, text.utf8) }
        var result = try await start()
        if result.status != 0, try await endStrays() { result = try await start() }
        guard result.status == 0 else { throw EscaleError.resolverFailed(address, result.tail()) }
        log.info("resolver started", ["address": "\(address)"])
    }

    private func writeLocalNames(_ text: String) throws(EscaleError) -> Bool {
        if let now = try? Files.readText(localNamesFile), now == text { return false }
        try Files.createDirectories(directory)
        try Files.replace(localNamesFile, text.utf8)
        return true
    }

    /// Ends the process and removes its directory.
    func remove() async throws {
        if let running = try await blocking({ running() }) { try await Self.end(running) }
        try await blocking { try Files.remove(directory) }
    }

    /// Whether it runs. Blocks.
    func isRunning() -> Bool { running() != nil }

    /// dnsmasq returns when it listens, and its child goes on.
    private func start() async throws -> CommandResult {
        guard let program = Self.program() else { throw EscaleError.dnsmasqMissing() }
        let command = Command(program, ["--conf-file=\(configFile)", addressOption])
        return try await command.run(timeout: .seconds(20))
    }

    private var addressOption: String { "--listen-address=\(address)" }

    /// By its pid file; another process with that number is told by its arguments.
    private func running() -> ProcessIdentity? {
        guard let text = try? Files.readText(pidFile), let pid = Int32(text.prefix { $0.isNumber }),
            let identity = ProcessIdentity(pid: pid), Self.arguments(of: pid).contains("--conf-file=\(configFile)")
        else { return nil }
        return identity
    }

    /// Ends resolvers on our address whose directory was lost; `false` where there was none.
    private func endStrays() async throws -> Bool {
        let option = addressOption
        let strays = try await blocking {
            try Files.list("/proc").compactMap(Int32.init).compactMap { pid -> ProcessIdentity? in
                guard let identity = ProcessIdentity(pid: pid) else { return nil }
                let arguments = Self.arguments(of: pid)
                let isStray = arguments.first?.hasSuffix("dnsmasq") == true && arguments.contains(option)
                return isStray ? identity : nil
            }
        }
        for stray in strays { try await Self.end(stray) }
        return !strays.isEmpty
    }

    private static func end(_ identity: ProcessIdentity) async throws {
        guard let process = ProcessHandle(identity) else { return }
        process.signal(SIGTERM)
        let deadline = Task {
            try await Task.sleep(for: .seconds(2))
            process.signal(SIGKILL)
        }
        defer { deadline.cancel() }
        try await process.ended()
    }

    private static func arguments(of pid: Int32) -> [String] {
        guard let bytes = try? Files.read("/proc/\(pid)/cmdline") else { return [] }  // it has ended
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func program() -> String? {
        ["/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/usr/bin/dnsmasq"].first { access($0, X_OK) == 0 }
    }
}
