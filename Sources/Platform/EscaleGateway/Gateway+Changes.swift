import EscaleCompose
import EscaleCore
import EscaleSystem
import Glibc

/// The three ways to a new state: runtime commands, a reload, a start.
extension Gateway {
    /// What runs already, as it is; `nil` where nothing does, or nothing that answers.
    func adopted() async throws -> RunningGateway? {
        try await blocking { [process, directory] in
            guard let master = process.running(), let text = try? Files.readText(process.configFile),
                let workers = try? WorkerList(master: process.master, runtime: process.runtime),
                let servers = try? process.runtime.ask(Roster.stateCommand)
            else { return nil }
            var roster = Roster(serversState: servers)
            let shares = try? process.runtime.ask("show map \(directory)/shares.map")
            roster.readShares(shares ?? "")  // no such map: no sticky canaries
            return RunningGateway(
                master: master, worker: workers.current, oldWorkers: workers.old,
                skeleton: HAProxyConfig.skeleton(of: text), roster: roster)
        }
    }

    /// By runtime commands. Workers of before a reload take none any more, see ``sessions(of:)``.
    func change(_ running: RunningGateway, to plan: GatewayPlan, host: GatewayHost) async throws {
        let commands = plan.roster.commands(from: running.roster, shareFile: host.shareFile)
        guard running.isAlive else { throw EscaleError.runtime("it has ended") }
        if plan.slots != book.slots {
            try await harvest(running)
            book.slots = plan.slots
            book.ledger.prune(processes: Set([running.worker] + running.oldWorkers), containers: plan.containers)
            let saved = book
            try await blocking { [bookFile] in try saved.save(bookFile) }
        }
        var running = running
        if !commands.isEmpty {
            try await blocking { [process] in
                let complaints = Self.complaints(try process.runtime.run(commands))
                guard complaints.isEmpty else { throw EscaleError.runtime(complaints.joined(separator: "\n")) }
            }
        }
        if !running.oldWorkers.isEmpty {
            running.oldWorkers = try await blocking { [process, runtime = process.runtime] in
                try WorkerList(master: process.master, runtime: runtime).old
            }
        }
        running.roster = plan.roster
        current = running
    }

    /// By a reload, or a start where nothing runs.
    func load(_ plan: GatewayPlan, _ renewals: [CertificateFiles.Change], host: GatewayHost) async throws {
        let running = current
        let known = running.map { ConfigPorts(skeleton: $0.skeleton).ports } ?? []
        try await blocking { [certificates] in
            for listener in plan.state.listeners where !known.contains(listener.port) {
                try PortProbe.check(listener.hostAddress, listener.port)
            }
            try Files.replace(host.holdScript, HoldScript.text.utf8)
            let shares = plan.roster.shares.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
            try Files.replace(host.shareFile, shares.utf8)
            for change in renewals { try certificates.write(change) }
        }
        do {
            try await process.prove(plan.text)
            if let running {
                try await harvest(running)
                try await process.reload()
            } else {
                try await process.start()
            }
        } catch {
            current = nil
            try await blocking { [certificates] in
                for change in renewals { try certificates.undo(change) }
            }
            throw explained(error, plan.state)
        }
        book.slots = plan.slots
        if running == nil { book.ledger.prune(processes: [], containers: plan.containers) }
        let saved = book
        try await blocking { [bookFile, certificates] in
            try saved.save(bookFile)
            try certificates.prune(plan.state)
        }
        current = try await adopted()
        guard let now = current else { throw EscaleError.haproxyFailed("it has ended") }
        log.info(running == nil ? "gateway started" : "gateway reloaded", ["worker": "\(now.worker)"])
    }

    private func explained(_ error: any Error, _ state: GatewayState) -> any Error {
        guard let refusal = error as? EscaleError else { return error }
        let words = refusal.details.map(\.text).joined(separator: "\n")
        guard let certificate = CertificateFiles.named(words, state, directory) else { return error }
        return EscaleError.badCertificate(
            certificate.certificate, "HAProxy doesn't accept it with the key \(certificate.key)", details: refusal.details)
    }

    /// What of the answers to changes isn't the ordinary one.
    private static func complaints(_ answer: String) -> [String] {
        answer.split(separator: "\n").map(String.init).filter { line in
            !line.hasPrefix("IP changed from") && !line.hasPrefix("port changed from") && !line.hasPrefix("no need to change")
                && !line.allSatisfy(\.isWhitespace)
        }
    }
}

extension GatewayPlan {
    var containers: Set<ContainerID> { Set(state.backends.flatMap { $0.servers.map(\.container) }) }
}

extension Roster {
    /// Lines of `<address> <key> <value>`.
    mutating func readShares(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 3, fields[0].hasPrefix("0x"), let share = Int(fields[2]) { shares[String(fields[1])] = share }
        }
    }
}

/// The ports that a configuration binds.
struct ConfigPorts {
    let ports: Set<UInt16>

    init(skeleton: String) {
        ports = Set(
            skeleton.split(separator: "\n").compactMap { line -> UInt16? in
                let words = line.split(separator: " ")
                guard words.count > 1, words[0] == "bind", let colon = words[1].lastIndex(of: ":") else { return nil }
                return UInt16(words[1][words[1].index(after: colon)...])
            })
    }
}
