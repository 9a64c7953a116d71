import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale push`
enum Push: CLICommand {
    struct Options: CommandOptions {
        var quiet = false
        var includeDependencies = false
    }

    static let path = ["push"]
    static let summary = "Take images to their registries"
    static let details: String? = """
        Names are services of the project, or images. Without names the images of all services that are built here are \
        pushed. An image goes to the registry that its name begins with.
        """
    static let operands = Operands(usage: "[SERVICE|IMAGE...]", minimum: 0, maximum: nil)
    static let flags: [Flag<Options>] = [
        .toggle("quiet", "q", \.quiet, "Show no progress"),
        .toggle("include-deps", nil, \.includeDependencies, "Also what the services depend on"),
    ]
    static let unavailable = [Unavailable("--ignore-push-failures")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let targets = try TransferTargets(
            operands,
            withDependencies: options.includeDependencies,
            in: session
        )
        let images = operands.isEmpty ? targets.images.filter(targets.built.contains) : targets.images
        guard !images.isEmpty else {
            session.warn("no service has a `build`, so there is nothing to push")
            return 0
        }
        return try await push(images, quiet: options.quiet, in: session)
    }

    static func push(_ images: [String], quiet: Bool, in session: Session) async throws -> Int32 {
        let client = try session.client()
        let request = PushRequest(images: images, credentials: try await session.credentials(for: images))
        let pushed = try await session.withProgress(quiet ? .quiet : nil) {
            try await client.pushImages(request, progress: $0)
        }
        for image in pushed { session.console.print("\(image.name)@\(image.digest)") }
        return 0
    }
}

/// `escale image push`
enum ImagePush: CLICommand {
    static let path = ["image", "push"]
    static let summary = "Take images to their registries"
    static let operands = Operands.atLeast(1, "IMAGE...")
    static let flags = Push.flags.filter { $0.info.long == "quiet" }

    static func run(_ options: Push.Options, _ operands: [String], in session: Session) async throws -> Int32
    {
        try await Push.push(operands, quiet: options.quiet, in: session)
    }
}
