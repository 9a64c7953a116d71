import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore

/// `escale build`
enum Build: CLICommand {
    struct Options: CommandOptions {
        var noCache = false
        var quiet = false
    }

    static let path = ["build"]
    static let summary = "Build the images of services"
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("no-cache", nil, \.noCache, "Run every step again"),
        .toggle("quiet", "q", \.quiet, "Show no progress"),
    ]
    static let unavailable = [
        Unavailable("--build-arg", instead: "set `build.args` in the file"),
        Unavailable("--builder"), Unavailable("--check"), Unavailable("--memory", "-m"),
        Unavailable("--print"),
        Unavailable("--progress", instead: "it goes before the command: `escale --progress plain build`"),
        Unavailable("--provenance"), Unavailable("--pull"), Unavailable("--push"), Unavailable("--sbom"),
        Unavailable("--ssh"), Unavailable("--with-dependencies"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let project = try session.project(selecting: operands)
        let named = try Session.Target(name: project.name, project: project).services(operands)
        var items: [BuildRequest.Item] = []
        for service in project.services where named.isEmpty || named.contains(service.name) {
            guard let build = service.build else {
                if named.contains(service.name) {
                    session.warn("\(service.name) has no `build`, so there is nothing to do")
                }
                continue
            }
            items.append(
                .init(service: service.name, build: build, image: service.imageName(in: project.name))
            )
        }
        guard !items.isEmpty else {
            if named.isEmpty { session.warn("no service of \(project.name) has a `build`") }
            return 0
        }
        let request = BuildRequest(items: items, noCache: options.noCache)
        _ = try await session.withProgress(options.quiet ? .quiet : nil) {
            try await client.build(request, progress: $0)
        }
        return 0
    }
}
