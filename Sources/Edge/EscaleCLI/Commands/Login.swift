import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem
import Glibc

/// `escale login`
enum Login: CLICommand {
    struct Options: CommandOptions {
        var username: String?
        var password: String?
        var passwordFromInput = false
    }

    static let path = ["login"]
    static let summary = "Say who you are at a registry"
    static let details: String? = """
        Asks the registry, and keeps what it accepts where Docker does: in ~/.docker/config.json, or with the credential helper \
        that this file names.
        """
    static let operands = Operands.atMost(1, "[REGISTRY]")
    static let flags: [Flag<Options>] = [
        .value("username", "u", "NAME", "The user's name; asked for by default") { $0.username = $1 },
        .value("password", "p", "PASSWORD", "The password; other users of this host may see it here") {
            $0.password = $1
        },
        .toggle("password-stdin", nil, \.passwordFromInput, "Read the password from standard input"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let host = registryHost(operands.first)
        if options.passwordFromInput && options.username == nil {
            throw EscaleError(.usage, "--password-stdin needs a name too", hint: "add -u NAME")
        }
        let username = try options.username ?? ask("Username: ", hidden: false)
        let password: String
        if options.passwordFromInput {
            password = try readInput()
        } else if let given = options.password {
            session.warn(
                "a password on the command line is seen by other users of this host: use --password-stdin"
            )
            password = given
        } else {
            password = try ask("Password: ", hidden: true)
        }
        var config = try DockerConfig(environment: session.environment)
        let credential = RegistryCredential(username: username, password: password)
        try await session.client().logIn(LoginRequest(host: host, credential: credential))
        try await config.store(credential, for: host)
        session.console.print("Login Succeeded")
        return 0
    }

    static func registryHost(_ text: String?) -> String {
        guard var host = text else { return "docker.io" }
        for scheme in ["https://", "http://"] where host.hasPrefix(scheme) { host.removeFirst(scheme.count) }
        host = String(host.prefix { $0 != "/" })
        return host == "index.docker.io" ? "docker.io" : host
    }

    private static func readInput() throws -> String {
        let input = FileDescriptor(owning: dup(0))
        var bytes: [UInt8] = []
        while bytes.count < 65536 {
            let piece = try input.read()
            if piece.isEmpty { break }
            bytes += piece
        }
        let text = String(decoding: bytes, as: UTF8.self)
        return String(text.reversed().drop { $0.isNewline }.reversed())
    }

    private static func ask(_ prompt: String, hidden: Bool) throws -> String {
        guard let terminal = try? FileDescriptor("/dev/tty", O_RDWR) else {
            throw EscaleError(
                .usage,
                "there is no terminal to ask on",
                hint: "give -u NAME and --password-stdin"
            )
        }
        try terminal.write(prompt.utf8)
        var before = termios()
        let isTerminal = tcgetattr(terminal.number, &before) == 0
        if hidden, isTerminal {
            var silent = before
            silent.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(terminal.number, TCSAFLUSH, &silent)
        }
        defer {
            if hidden, isTerminal {
                tcsetattr(terminal.number, TCSAFLUSH, &before)
                // Nothing to be done where even this can't be written.
                try? terminal.write("\n".utf8)
            }
        }
        let line = try terminal.read(upTo: 4096)
        return String(decoding: line.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}

/// `escale logout`
enum Logout: CLICommand {
    static let path = ["logout"]
    static let summary = "Forget who you are at a registry"
    static let operands = Operands.atMost(1, "[REGISTRY]")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let host = Login.registryHost(operands.first)
        var config = try DockerConfig(environment: session.environment)
        session.console.print(
            try await config.remove(host) ? "Removed the login for \(host)" : "Not logged in to \(host)"
        )
        return 0
    }
}
