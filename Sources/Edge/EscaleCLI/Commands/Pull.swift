import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale pull`
enum Pull: CLICommand {
    struct Options: CommandOptions {
        var quiet = false
        var ignoreFailures = false
        var ignoreBuildable = false
        var includeDependencies = false
        var platform: String?
    }

    static let path = ["pull"]
    static let summary = "Bring images from their registries"
    static let details: String? = """
        Names are services of the project, or images. Without names the images of all services are pulled. Who you are at \
        a registry is what `escale login` or `docker login` left.
        """
    static let operands = Operands(usage: "[SERVICE|IMAGE...]", minimum: 0, maximum: nil)
    static let flags: [Flag<Options>] = [
        .toggle("quiet", "q", \.quiet, "Show no progress"),
        .toggle(
            "ignore-pull-failures",
            nil,
            \.ignoreFailures,
            "Go on with the others where one can't be pulled"
        ),
        .toggle("ignore-buildable", nil, \.ignoreBuildable, "Leave out what is built here"),
        .toggle("include-deps", nil, \.includeDependencies, "Also what the services depend on"),
        .value("platform", nil, "OS/ARCH", "For another machine than this one") { $0.platform = $1 },
    ]
    static let unavailable = [Unavailable("--policy", instead: "set `pull_policy` in the file")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let targets = try TransferTargets(
            operands,
            withDependencies: options.includeDependencies,
            withOthers: true,
            in: session
        )
        let images = targets.images.filter { !(options.ignoreBuildable && targets.built.contains($0)) }
        let credentials = try await session.credentials(for: images)
        var failures = 0
        var pulled: [TransferredImage] = []
        try await session.withProgress(options.quiet ? .quiet : nil) { progress in
            // Side by side; each image has its own lines.
            try await withThrowingTaskGroup(of: Result<[TransferredImage], any Error>.self) { group in
                for image in images {
                    group.addTask {
                        do {
                            return .success(
                                try await client.pullImages(
                                    PullRequest(
                                        images: [image],
                                        platform: options.platform,
                                        credentials: credentials
                                    ),
                                    progress: progress
                                )
                            )
                        } catch {
                            return .failure(error)
                        }
                    }
                }
                for try await result in group {
                    switch result {
                    case .success(let images): pulled += images
                    case .failure(let error):
                        let error = EscaleError(wrapping: error)
                        guard options.ignoreFailures, error.code != .interrupted else { throw error }
                        failures += 1
                        progress(ProgressEvent("Pull", .warning, error.message, at: .now))
                    }
                }
            }
        }
        for image in pulled.sorted(by: { $0.name < $1.name }) {
            session.console.print("\(image.name)@\(image.digest)")
        }
        return 0
    }
}

/// `escale image pull`
enum ImagePull: CLICommand {
    static let path = ["image", "pull"]
    static let summary = "Bring images from their registries"
    static let operands = Operands.atLeast(1, "IMAGE...")
    static let flags = Pull.flags.filter { ["quiet", "platform"].contains($0.info.long) }

    static func run(_ options: Pull.Options, _ operands: [String], in session: Session) async throws -> Int32
    {
        let client = try session.client()
        let request = PullRequest(
            images: operands,
            platform: options.platform,
            credentials: try await session.credentials(for: operands)
        )
        let pulled = try await session.withProgress(options.quiet ? .quiet : nil) {
            try await client.pullImages(request, progress: $0)
        }
        for image in pulled { session.console.print("\(image.name)@\(image.digest)") }
        return 0
    }
}
