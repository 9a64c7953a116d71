import EscaleClient
import EscaleCore
import EscaleSystem
import Glibc

/// `escale system install`
enum SystemInstall: CLICommand {
    struct Options: CommandOptions {
        var printed: String?
    }

    static let path = ["system", "install"]
    static let summary = "Have systemd run the daemon, from each boot on"
    static let details: String? = """
        Writes the units escale.service and escale.socket to /etc/systemd/system, where the Debian package's are not there \
        already, and enables them. A daemon that runs is replaced by systemd's; containers go on running.
        """

    static let flags: [Flag<Options>] = [
        .value("print", nil, "UNIT", "Print escale.service or escale.socket as for /usr/bin/escaled, and do nothing") {
            $0.printed = $1
        }
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        if let name = options.printed {
            guard let unit = SystemdUnit.all(program: "/usr/bin/escaled").first(where: { $0.name == name }) else {
                throw EscaleError(.usage, "there is no unit \(name)", hint: "possible are escale.service and escale.socket")
            }
            session.console.write(unit.text)
            return 0
        }
        let systemd = Systemd()
        try systemd.check(session.root)
        guard let program = Files.linkTarget("/proc/self/exe").flatMap({ path in
            path.lastIndex(of: "/").map { "\(path[..<$0])/escaled" }
        }), Files.exists(program) else {
            throw EscaleError(.init("daemon.not-installed"), "escaled is not beside escale", hint: "install both in one directory")
        }
        for unit in SystemdUnit.all(program: program) {
            if Files.exists(systemd.packaged(unit.name)) {
                session.console.print("\(systemd.packaged(unit.name)) is the package's, and stays")
            } else if try unit.write(to: systemd.own(unit.name)) {
                session.console.print("wrote \(systemd.own(unit.name))")
            } else {
                session.console.print("\(systemd.own(unit.name)) is as it should be")
            }
        }
        guard try await systemd.enable(session) else { return 0 }
        let client = try session.client()
        if try client.isRunning(), try await !systemd.runs("escale.service") {
            try await client.stopDaemon()
            session.console.print("ended the daemon that systemd didn't start; containers go on running")
        }
        try await systemd.ask("enable", "--now", "escale.socket", "escale.service")
        session.console.print("systemd runs the daemon: `systemctl status escale`, `escale system logs`")
        return 0
    }
}

/// `escale system uninstall`
enum SystemUninstall: CLICommand {
    static let path = ["system", "uninstall"]
    static let summary = "Have systemd not run the daemon any more"
    static let details: String? = """
        Disables the units and removes those that `escale system install` wrote. Containers go on running, and all state stays; \
        `escale system reset` removes it.
        """

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let systemd = Systemd()
        try systemd.check(session.root)
        let names = SystemdUnit.all(program: "").map(\.name)
        let present = names.filter { Files.exists(systemd.own($0)) || Files.exists(systemd.packaged($0)) }
        guard !present.isEmpty else {
            session.console.print("there is nothing to uninstall: systemd has no unit of Escale's")
            return 0
        }
        if systemd.isPresent {
            let now = systemd.isRunning ? ["--now"] : []
            try await systemd.ask(["disable"] + now + present)
            session.console.print("disabled \(present.joined(separator: " and "))" + (now.isEmpty ? "" : ", and ended the daemon"))
        }
        for name in present where Files.exists(systemd.own(name)) {
            guard try SystemdUnit.isOwn(systemd.own(name)) else {
                session.console.print("\(systemd.own(name)) was written by somebody else, and stays")
                continue
            }
            try Files.remove(systemd.own(name))
            session.console.print("removed \(systemd.own(name))")
        }
        if systemd.isRunning { try await systemd.ask("daemon-reload") }
        session.console.print("containers go on running, and all state stays; `escale system reset --yes` removes it")
        return 0
    }
}
