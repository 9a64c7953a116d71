import EscaleAPI
import EscaleClient
import EscaleCluster
import EscaleCompose
import EscaleCore
import EscaleKubernetes
import EscaleSystem

/// `escale kube apply`
enum KubeApply: CLICommand {
    struct Options: MappingCommandOptions, ClusterCommandOptions {
        var mapping = MappingOptions(secrecy: .values)
        var strict = false
        var selection = Kubeconfig.Selection()
        var waits = true
        var timeout = Duration.seconds(600)
        var pushes = false
    }

    static let path = ["kube", "apply"]
    static let summary = "Make the cluster what the project says"
    static let details: String? = """
        Objects are applied by the server (server-side apply, as the field manager "escale"): a field that somebody changed is put \
        right, and one that the manifests say nothing of stays. Services that have to be over before others are waited for first. What \
        the project has no longer is removed, but for volumes. An object of the same name that isn't the project's is never touched: \
        it is an error before anything is changed. A release that doesn't get ready is shown with its reason, and goes back to the one \
        before unless `update_config` says otherwise. Blue-green and canary releases are made by a second Deployment while they last; one         that waits for `escale kube promote`, or whose command was ended, goes on with the next command.
        """
    static let flags: [Flag<Options>] =
        [
            .toggle("wait", nil, \.waits, "Wait until everything is ready; --wait=false returns at once"),
            .value("wait-timeout", nil, "SECONDS", "How long to wait for what doesn't get ready; 600 without it") {
                $0.timeout = try Values.seconds($1)
            },
            .toggle("push", nil, \.pushes, "Take images that are built here to --registry first"),
        ] + Flag.mapping + Flag.cluster

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        var mapped = try await session.mappedProject(options.mapping)
        try session.tell(mapped, strict: options.strict)
        if options.pushes {
            try await push(mapped.project, options, in: session)
            mapped.manifests = try await session.manifests(of: mapped.project, options.mapping)
        }
        let project = try session.clusterProject(mapped, options)
        let rollout = ClusterRollout(project, keeping: mapped.project.keptReleases, waits: options.waits, timeout: options.timeout)
        let outcome = try await session.withProgress { try await rollout.run(mapped.manifests.objects, report: $0) }
        if session.conclude(outcome) { return 0 }
        if outcome.changes == 0 { session.console.print("Nothing to change: the cluster is as the project says.") }
        return 0
    }

    /// Names the images as the cluster finds them, and pushes them there.
    private static func push(_ project: Project, _ options: Options, in session: Session) async throws {
        guard let registry = options.mapping.registry else {
            throw EscaleError(.usage, "--push needs --registry PREFIX", hint: "such as --registry registry.example.org/team")
        }
        let client = try session.client()
        var images: [String] = []
        for service in project.services where service.build != nil {
            let name = service.imageName(in: project.name)
            let target = "\(registry)/\(name)"
            guard !images.contains(target) else { continue }
            try await client.tagImage(TagRequest(image: name, name: target))
            images.append(target)
        }
        guard !images.isEmpty else { return }
        guard try await Push.push(images, quiet: false, in: session) == 0 else {
            throw EscaleError(.init("cluster.push"), "the images could not be pushed to \(registry)")
        }
    }
}
