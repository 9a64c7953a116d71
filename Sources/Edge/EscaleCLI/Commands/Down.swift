import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale down`
enum Down: CLICommand {
    struct Options: CommandOptions {
        var volumes = false
        var timeout: Duration?
        var removeOrphans = false
    }

    static let path = ["down"]
    static let summary = "Stop and remove the project's containers and networks"
    static let details: String? = """
        Named volumes stay unless --volumes is given. With -p it works without the compose file.
        """
    static let flags: [Flag<Options>] = [
        .toggle("volumes", "v", \.volumes, "Remove the named volumes too, with all that is in them"),
        .value("timeout", "t", "SECONDS", "Grace period, instead of each service's own") {
            $0.timeout = try Values.seconds($1)
        },
        .toggle(
            "remove-orphans",
            nil,
            \.removeOrphans,
            "Accepted for habit: all containers of the project go anyway"
        ),
    ]
    static let unavailable = [Unavailable("--rmi", instead: "remove images with `escale image rm`")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let name = try session.target().name
        let request = DownRequest(removeVolumes: options.volumes, timeout: options.timeout)
        try await session.withProgress { try await client.down(name, request, progress: $0) }
        return 0
    }
}
