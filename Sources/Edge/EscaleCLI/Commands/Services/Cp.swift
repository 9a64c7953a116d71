import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale cp`
enum Cp: CLICommand {
    struct Options: CommandOptions {
        var index: Int?
        var archive = false
        var follow = false
        var all = false
    }

    static let path = ["cp"]
    static let summary = "Copy files between the host and a running container"
    static let details: String? = """
        As the container sees its files, mounts and all. A directory is copied with all that is in it; `DIR/.` stands for \
        what is in it alone. Without --index a copy to a service goes to all of its replicas, one from it comes from the first.
        """
    static let operands = Operands.exactly("[SERVICE:]SOURCE", "[SERVICE:]TARGET")
    static let flags: [Flag<Options>] = [
        .value("index", nil, "N", "Which replica of the service, from 1") { $0.index = try Values.count($1) },
        .toggle("archive", "a", \.archive, "Keep whom the files belong to, by number"),
        .toggle("follow-link", "L", \.follow, "Copy what a link leads to, not the link"),
        .toggle("all", nil, \.all, "Accepted for habit: a copy to a service goes to all replicas anyway"),
    ]

    private enum Place {
        case host(String)
        case container(service: String, path: String)

        init(_ text: String, _ session: Session) {
            guard let colon = text.firstIndex(of: ":"), !text.hasPrefix("/"), !text.hasPrefix("."), colon != text.startIndex else {
                let path = session.clean(text)
                // What stands at the end says what is meant.
                self = .host(text.hasSuffix("/.") || text == "." ? path + "/." : text.hasSuffix("/") ? path + "/" : path)
                return
            }
            let path = String(text[text.index(after: colon)...])
            self = .container(service: String(text[..<colon]), path: path.hasPrefix("/") ? path : "/" + path)
        }
    }

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let service: String
        var request: CopyRequest
        switch (Place(operands[0], session), Place(operands[1], session)) {
        case (.container(let name, let inside), .host(let outside)):
            service = name
            request = CopyRequest(hostPath: outside, containerPath: inside, isFromContainer: true)
        case (.host(let outside), .container(let name, let inside)):
            service = name
            request = CopyRequest(hostPath: outside, containerPath: inside, isFromContainer: false)
        case (.container, .container):
            throw EscaleError(.usage, "files can't be copied between two services", hint: "copy to the host and from there")
        case (.host, .host):
            throw EscaleError(
                .usage, "one of the two must be in a service, such as web:/etc/nginx", hint: "see `escale cp --help`")
        }
        request.followsLinks = options.follow
        request.keepsOwners = options.archive
        for container in try await containers(of: service, request, options, in: session) {
            try await client.copy(container.id.rawValue, request)
        }
        return 0
    }

    private static func containers(
        of service: String, _ request: CopyRequest, _ options: Options, in session: Session
    ) async throws -> [ContainerSummary] {
        if request.isFromContainer || options.index != nil {
            return [try await session.container(service, index: options.index ?? 1)]
        }
        let target = try session.target()
        let name = try target.services([service])[0]
        let running = try await session.client().containers(of: target.name).filter {
            $0.service == name && $0.isOneOff != true && $0.isRunning
        }
        guard !running.isEmpty else { return [try await session.container(service, index: 1)] }
        return running
    }
}

/// `escale volumes`
enum Volumes: CLICommand {
    struct Options: CommandOptions {
        var quiet = false
        var format = ListFormat.table
    }

    static let path = ["volumes"]
    static let summary = "List the project's volumes"
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("quiet", "q", \.quiet, "Print only the names"),
        .choice("format", \.format, "How to print"),
    ]
    static let fields = [
        JSONField("name", "volume name"), JSONField("project", "project name; missing for one of no project"),
        JSONField("mountpoint", "where its data are on the host"), JSONField("services", "services that have it mounted"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let target = try session.target()
        let services = try target.services(operands)
        let volumes = try await session.client().volumes().filter { volume in
            volume.project == target.name && (services.isEmpty || !Set(services).isDisjoint(with: volume.services))
        }
        if options.quiet {
            for volume in volumes { session.console.print(volume.name.rawValue) }
            return 0
        }
        try session.printList(volumes, options.format) { volumes in
            var table = Table("NAME", "SERVICES", "MOUNTPOINT")
            for volume in volumes {
                table.add(volume.name.rawValue, volume.services.map(\.rawValue).joined(separator: ", "), volume.mountpoint)
            }
            return table
        }
        return 0
    }
}
