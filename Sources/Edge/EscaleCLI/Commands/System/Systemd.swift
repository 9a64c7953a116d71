import EscaleCore
import EscaleSystem
import Glibc

/// The host's systemd, where it has one.
struct Systemd: Sendable {
    private static let program = "/usr/bin/systemctl"

    /// Whether it is installed.
    var isPresent: Bool { Files.exists(Self.program) }
    /// Whether it is what runs the host.
    var isRunning: Bool { isPresent && Files.isDirectory("/run/systemd/system") }

    /// Where units go that are written here.
    func own(_ unit: String) -> String { "/etc/systemd/system/\(unit)" }
    /// Where the Debian package's are.
    func packaged(_ unit: String) -> String { "/usr/lib/systemd/system/\(unit)" }

    /// - Throws: where the root is not the host's own, or the caller may not do it.
    func check(_ root: EscaleRoot) throws(EscaleError) {
        guard root.directory == nil else {
            throw EscaleError(
                .usage, "systemd runs the host's own daemon, not one with a root directory of its own",
                hint: "leave --root and ESCALE_ROOT out")
        }
        guard geteuid() == 0 else {
            throw EscaleError(.init("client.not-root"), "only root can change systemd's units", hint: "run it with sudo")
        }
    }

    func runs(_ unit: String) async throws -> Bool {
        guard isRunning else { return false }
        return try await Command(Self.program, ["is-active", "--quiet", unit]).run(timeout: .seconds(10)).status == 0
    }

    /// Enables the units, where that can be done without a systemd that runs, and says what is so.
    ///
    /// - Returns: whether systemd runs.
    func enable(_ session: Session) async throws -> Bool {
        if isRunning {
            try await ask("daemon-reload")
            return true
        }
        guard isPresent else {
            session.console.print("systemd is not installed on this host: nothing starts the daemon at a boot.")
            session.console.print("`escale` starts it when it is needed, as before.")
            return false
        }
        try await ask("enable", "escale.socket", "escale.service")
        session.console.print("enabled escale.socket and escale.service, for the next boot with systemd")
        session.console.print("systemd doesn't run on this host now: `escale` starts the daemon when it is needed, as before.")
        return false
    }

    /// - Throws: `system.systemd` with its words.
    func ask(_ words: String...) async throws { try await ask(words) }

    func ask(_ words: [String]) async throws {
        let result = try await Command(Self.program, words).run(timeout: .seconds(60))
        guard result.status == 0 else {
            throw EscaleError(
                .init("system.systemd"), "`systemctl \(words.joined(separator: " "))` failed: \(result.tail())",
                hint: "see `systemctl status escale.service`")
        }
    }
}

/// A unit of systemd's that runs the daemon; packaging/ has the Debian package's, made from the same text.
struct SystemdUnit: Sendable {
    let name: String
    let text: String

    private static let mark = "# Written by `escale system install`; `escale system uninstall` removes it.\n"

    static func all(program: String) -> [SystemdUnit] {
        [
            SystemdUnit(
                name: "escale.service",
                text: """
                    [Unit]
                    Description=Escale, which runs applications that compose files describe
                    Documentation=man:escaled(8) man:escale(1)
                    Wants=network-online.target
                    After=network-online.target nftables.service firewalld.service
                    Requires=escale.socket
                    After=escale.socket

                    [Service]
                    Type=notify
                    ExecStart=\(program)
                    # Containers outlive the daemon: only its own process is ended.
                    KillMode=process
                    Delegate=yes
                    Restart=on-failure
                    RestartSec=1
                    TimeoutStartSec=infinity
                    LimitNOFILE=1048576
                    TasksMax=infinity

                    [Install]
                    WantedBy=multi-user.target
                    Also=escale.socket

                    """),
            SystemdUnit(
                name: "escale.socket",
                text: """
                    [Unit]
                    Description=The socket of Escale's daemon
                    Documentation=man:escaled(8)

                    [Socket]
                    ListenStream=/run/escale/escaled.sock
                    SocketMode=0600
                    DirectoryMode=0711

                    [Install]
                    WantedBy=sockets.target

                    """),
        ]
    }

    /// - Returns: `false` where the file is as it should be.
    func write(to path: String) throws -> Bool {
        let whole = Self.mark + text
        if Files.exists(path), try Files.readText(path) == whole { return false }
        if Files.exists(path), try !Self.isOwn(path) {
            throw EscaleError(
                .init("system.unit-exists"), "\(path) was written by somebody else",
                hint: "move it away, and try again")
        }
        try Files.createDirectories("/etc/systemd/system")
        try Files.replace(path, whole.utf8)
        return true
    }

    static func isOwn(_ path: String) throws -> Bool { try Files.readText(path).hasPrefix(mark) }
}
