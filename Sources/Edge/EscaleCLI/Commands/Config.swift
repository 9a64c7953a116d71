import EscaleCompose
import EscaleCore

/// `escale config`
enum Config: CLICommand {
    struct Options: CommandOptions {
        var format = Format.yaml
        var quiet = false
        var services = false
        var images = false
        var volumes = false
        var networks = false
    }

    enum Format: String, CaseIterable, Sendable { case yaml, json }

    static let path = ["config"]
    static let summary = "Check the compose files and print what they come to"
    static let details: String? = "Needs neither the daemon nor root."
    static let flags: [Flag<Options>] = [
        .choice("format", \.format, "How to print"),
        .toggle("quiet", "q", \.quiet, "Only check, print nothing"),
        .toggle("services", nil, \.services, "Print only the services' names"),
        .toggle("images", nil, \.images, "Print only the images' names"),
        .toggle("volumes", nil, \.volumes, "Print only the volumes' names in the file"),
        .toggle("networks", nil, \.networks, "Print only the networks' names in the file"),
    ]
    static let unavailable = [
        Unavailable("--environment"), Unavailable("--hash"), Unavailable("--no-consistency"),
        Unavailable("--no-interpolate"), Unavailable("--no-normalize"), Unavailable("--no-path-resolution"),
        Unavailable("--output", "-o", instead: "redirect the output: `escale config > FILE`"),
        Unavailable("--profiles"), Unavailable("--resolve-image-digests"), Unavailable("--variables"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let project = try session.project()
        if options.quiet { return 0 }
        let lists: [(isWanted: Bool, names: [String])] = [
            (options.services, project.services.map(\.name.rawValue)),
            (options.images, project.services.map { $0.imageName(in: project.name) }),
            (options.volumes, project.volumes.map(\.key)),
            (options.networks, project.networks.map(\.key)),
        ]
        guard lists.contains(where: \.isWanted) else {
            switch options.format {
            case .yaml: session.console.write(ProjectRenderer.yaml(project))
            case .json: session.console.write(ProjectRenderer.json(project))
            }
            return 0
        }
        for list in lists where list.isWanted {
            for name in list.names { session.console.print(name) }
        }
        return 0
    }
}
