import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale system prune`
enum SystemPrune: CLICommand {
    struct Options: CommandOptions {
        var all = false
        var volumes = false
        var force = false
    }

    static let path = ["system", "prune"]
    static let summary = "Remove what nothing needs that runs: ended containers, their networks, images, the build cache"
    static let details: String? = """
        Containers go with their networks where nothing of their project runs. Volumes stay; with --volumes, anonymous ones \
        that no project has any more go too.
        """
    static let flags: [Flag<Options>] = [
        .toggle("all", "a", \.all, "All images that no container is made of, not only those without a name"),
        .toggle("volumes", nil, \.volumes, "Anonymous volumes too"),
        .toggle("force", "f", \.force, "Don't ask"),
    ]
    static let unavailable = [Unavailable("--filter")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        if !options.force {
            session.console.print(warning(options))
            guard try session.confirms("Are you sure you want to continue") else { return 0 }
        }
        let client = try session.client()
        let result = try await session.withProgress {
            try await client.prune(all: options.all, volumes: options.volumes, progress: $0)
        }
        let lists = [
            ("Deleted containers", result.containers), ("Deleted networks", result.networks),
            ("Deleted volumes", result.volumes),
            ("Deleted images", result.images.untagged.map { "untagged: \($0)" } + result.images.deleted.map { "deleted: \($0)" }),
        ]
        for (title, names) in lists where !names.isEmpty {
            session.console.print("\(title):\n\(names.joined(separator: "\n"))\n")
        }
        session.console.print("Total reclaimed space: \(result.freed)")
        return 0
    }

    private static func warning(_ options: Options) -> String {
        var text = """
            WARNING! This will remove:
              - all containers of projects of which nothing runs
              - the networks of those projects

            """
        if options.volumes { text += "  - all anonymous volumes that no project has\n" }
        text += options.all ? "  - all images that no container is made of\n" : "  - all images without a name\n"
        return text + "  - the build cache that no image is made of\n"
    }
}
