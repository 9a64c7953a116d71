package import EscaleCore
package import EscaleSystem
import Glibc

/// The HTTP gateway of one instance: keeps an HAProxy as the latest state says.
///
/// Nothing of it lives in this process: after a restart the first ``apply(_:)`` adopts what is there. Replicas come, go,
/// drain and change weight without a reload; listeners, routes, settings and backends take one, which closes nothing.
package actor Gateway {
    let directory: String
    let log: Log
    let process: HAProxyProcess
    let certificates: CertificateFiles
    var book: GatewayBook

    private var isBusy = false
    private var turns: [CheckedContinuation<Void, Never>] = []

    /// The state in force.
    var state: GatewayState?
    /// What HAProxy is known to be at; `nil` until it was looked at.
    var current: RunningGateway?
    private var host: GatewayHost?

    var bookFile: String { "\(directory)/gateway.json" }

    /// Where HAProxy writes a line of JSON for every request; see ``AccessLogReader``.
    package nonisolated var accessLogFile: String { process.accessLog }

    /// - Parameter directory: for sockets, configuration and certificates, which vanish with a reboot, and the access
    ///   log; made here if need be. Its path has to be short enough for a socket, some 80 characters.
    package init(directory: String, log: Log) throws(EscaleError) {
        guard directory.utf8.count <= 80 else { throw .directoryTooLong(directory) }
        self.directory = directory
        self.log = log
        try Files.createDirectories(directory, mode: 0o711)
        process = HAProxyProcess(directory: directory)
        certificates = CertificateFiles(directory: directory)
        book = try GatewayBook.load("\(directory)/gateway.json", log: log)
    }

    /// Makes the state true. Returns when it, or a later one, is in force: who isn't taking any more gets no further
    /// request from then on.
    ///
    /// One at a time, in the order of the calls. Certificates are read again.
    /// - Throws: `gateway.*`; what was in force stays so then.
    package func apply(_ state: GatewayState) async throws {
        try await inTurn { try await enforce(state) }
    }

    /// Looks whether what is in force still is, and repairs it; also reads certificates again.
    ///
    /// - Returns: whether there was something to repair. A certificate's renewal is nothing to repair.
    @discardableResult
    package func verify() async throws -> Bool {
        var isRepaired = false
        try await inTurn {
            guard let state else { return }
            let isServed = !state.listeners.isEmpty
            let before = current?.master
            current = nil  // look afresh
            let drift = try await enforce(state)
            isRepaired = isServed && (drift || current?.master != before)
            if isRepaired { log.warning("gateway found damaged and repaired") }
            try await AccessLogFile(path: process.accessLog).trim()
        }
        return isRepaired
    }

    /// Ends HAProxy at once, and removes everything but the access log.
    package func tearDown() async throws {
        try await inTurn {
            try await stop()
            state = nil
        }
    }

    // MARK: -

    /// - Returns: whether HAProxy wasn't where it was believed to be.
    @discardableResult
    private func enforce(_ state: GatewayState) async throws -> Bool {
        if state.listeners.isEmpty {
            // Most projects have no HTTP port: what isn't there is looked for once.
            if self.state?.listeners.isEmpty != true { try await stop() }
            self.state = state
            return false
        }
        let host = try await preparedHost()
        let slots = book.slots.updated(for: state)
        let plan = GatewayPlan(
            state: state, slots: slots, roster: Roster(state, slots: slots),
            text: try HAProxyConfig(state, slots: slots, host: host).text)
        let renewals = try await certificateChanges(state)
        if current == nil { current = try await adopted() }
        var isDrifted = false
        if let running = current, running.skeleton == plan.skeleton {
            isDrifted = running.roster.serving != plan.roster.serving && self.state == state
            do {
                try await change(running, to: plan, host: host)
                try await renew(renewals)
            } catch {
                current = nil  // unknown how far it came
                throw error
            }
        } else {
            try await load(plan, renewals, host: host)
        }
        self.state = state
        return isDrifted
    }

    private func stop() async throws {
        try await process.endAll()
        current = nil
        book = GatewayBook()
        try await blocking { [directory] in
            for name in try Files.list(directory) where !name.hasPrefix("access.log") && name != "cookie.key" {
                try Files.remove("\(directory)/\(name)")
            }
        }
    }

    private func preparedHost() async throws -> GatewayHost {
        if let host { return host }
        let made = try await blocking { [directory] in try GatewayHost(directory: directory) }
        host = made
        return made
    }

    /// Runs the work alone: applying and tearing down never overlap.
    func inTurn(_ work: () async throws -> Void) async throws {
        if isBusy { await withCheckedContinuation { turns.append($0) } }
        isBusy = true
        defer {
            if turns.isEmpty { isBusy = false } else { turns.removeFirst().resume() }
        }
        try await work()
    }
}

/// What a state means for HAProxy.
struct GatewayPlan: Sendable {
    let state: GatewayState
    let slots: SlotTable
    let roster: Roster
    let text: String
    let skeleton: String

    init(state: GatewayState, slots: SlotTable, roster: Roster, text: String) {
        self.state = state
        self.slots = slots
        self.roster = roster
        self.text = text
        skeleton = HAProxyConfig.skeleton(of: text)
    }
}

/// An HAProxy that serves, and what it is set to.
struct RunningGateway: Sendable {
    let master: ProcessIdentity
    var worker: Int32
    var oldWorkers: [Int32]
    let skeleton: String
    var roster: Roster

    var isAlive: Bool { master.isAlive }
}
