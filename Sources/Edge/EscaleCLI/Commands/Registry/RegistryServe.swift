import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale registry serve`
enum RegistryServe: CLICommand {
    struct Options: CommandOptions {
        var listen = "127.0.0.1:5000"
        var htpasswd: String?
        var certificate: String?
        var key: String?
        var detach = false
    }

    static let path = ["registry", "serve"]
    static let summary = "Serve this host's images as a registry"
    static let details: String? = """
        Any client of the OCI distribution specification can push, pull and list: Docker, Podman, skopeo, Kubernetes. A page \
        for people is at the same address. Blobs are kept once, together with the images of this host. Without --detach it \
        serves until Ctrl-C and shows what is pushed and pulled; with it, until `escale registry stop`, also after a restart.
        """
    static let flags: [Flag<Options>] = [
        .value("listen", "l", "ADDRESS:PORT", "Where; 127.0.0.1:5000 by default") { $0.listen = $1 },
        .value("htpasswd", nil, "FILE", "Only for the users in this file (`htpasswd -B FILE NAME` adds one)")
        {
            $0.htpasswd = $1
        },
        .value("tls-certificate", nil, "FILE", "Serve over TLS, with this certificate (PEM)") {
            $0.certificate = $1
        },
        .value("tls-key", nil, "FILE", "The certificate's key (PEM)") { $0.key = $1 },
        .toggle("detach", "d", \.detach, "Return when it serves, and serve for good"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let settings = RegistrySettings(
            listen: options.listen.hasPrefix(":") ? "127.0.0.1" + options.listen : options.listen,
            htpasswd: options.htpasswd.map(session.absolute),
            certificate: options.certificate.map(session.absolute),
            key: options.key.map(session.absolute),
            isPermanent: options.detach
        )
        if settings.htpasswd == nil, !["127.", "localhost:", "[::1]:"].contains(where: settings.listen.hasPrefix) {
            session.warn(
                "everybody who reaches \(settings.listen) can push and pull: --htpasswd FILE lets only known users in"
            )
        }
        if options.detach {
            session.console.print(try await client.startRegistry(settings).url)
            return 0
        }
        try await session.withProgress { try await client.serveRegistry(settings, progress: $0) }
        return 0
    }
}

/// `escale registry stop`
enum RegistryStop: CLICommand {
    static let path = ["registry", "stop"]
    static let summary = "Stop serving images; what is stored stays"

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        if try await !session.client().stopRegistry() { session.warn("no registry was serving") }
        return 0
    }
}

/// `escale registry status`
enum RegistryStatusCommand: CLICommand {
    struct Options: CommandOptions {
        var format = ListFormat.table
    }

    static let path = ["registry", "status"]
    static let summary = "Show where the registry serves"
    static let flags: [Flag<Options>] = [.choice("format", \.format, "How to print")]
    static let fields = [
        JSONField("url", "its address"), JSONField("settings", "as it was started"),
        JSONField("repositories", "how many have images"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let status = try await session.client().registry()
        try session.printList(status.map { [$0] } ?? [], options.format) { found in
            var table = Table("URL", "REPOSITORIES", "USERS", "PERMANENT")
            for status in found {
                table.add(
                    status.url,
                    "\(status.repositories)",
                    status.settings.htpasswd ?? "everybody",
                    status.settings.isPermanent ? "yes" : "no"
                )
            }
            return table
        }
        return status == nil ? 1 : 0
    }
}
