import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleSystem

/// `escale up`
enum Up: CLICommand {
    struct Options: CommandOptions {
        var detach = false
        var build = false
        var wait = false
        var waitTimeout: Duration?
        var removeOrphans = false
        var forceRecreate = false
        var timeout: Duration?
        var noColour = false
        var noLogPrefix = false
        var timestamps = false
        var scale: [ServiceName: Int] = [:]
        var strategy: ReleaseSettings.Strategy?
        var noWait = false
        var pull: UpRequest.PullMode?
        var yes = false
    }

    static let path = ["up"]
    static let summary = "Make the project run as its file says"
    static let details: String? = """
        Builds images that are missing, creates networks and volumes, and starts containers in the order of their \
        dependencies. What already is as the file says stays untouched. Where it changes services that run, it makes \
        a release of it, shows it live and fails if it fails; Ctrl-C then ends only the waiting, the release goes \
        on. Without --detach it then shows the output of the containers until all have ended; Ctrl-C stops them, a \
        second Ctrl-C kills them.
        """
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("detach", "d", \.detach, "Return when the containers have started"),
        .toggle("build", nil, \.build, "Build images also where they exist"),
        .toggle("wait", nil, \.wait, "Return when everything runs and is healthy; implies --detach"),
        .value("wait-timeout", nil, "SECONDS", "How long to wait with --wait before failing") {
            $0.waitTimeout = try Values.seconds($1)
        },
        .toggle(
            "remove-orphans",
            nil,
            \.removeOrphans,
            "Remove containers of services that the file no longer has"
        ),
        .toggle("force-recreate", nil, \.forceRecreate, "Recreate containers even if nothing changed"),
        .value("timeout", "t", "SECONDS", "Grace period on Ctrl-C, instead of each service's own") {
            $0.timeout = try Values.seconds($1)
        },
        .toggle("no-color", nil, \.noColour, "Show the output without colours"),
        .toggle("no-log-prefix", nil, \.noLogPrefix, "Show the output without the containers' names"),
        .toggle("timestamps", nil, \.timestamps, "Show when each line was written"),
        .value("scale", nil, "SERVICE=NUM", "Have that many replicas of a service, whatever the file says (repeatable)") {
            let (service, count) = try Values.scale($1)
            $0.scale[service] = count
        },
        .choice("strategy", \.strategy, "How changed services that run are replaced, whatever the file says"),
        .toggle(
            "no-wait",
            nil,
            \.noWait,
            "Return when a release has begun, instead of when it is over; implies --detach"
        ),
        .choice("pull", \.pull, "When to pull images, whatever the file says"),
        .toggle("yes", "y", \.yes, "Accepted for habit: nothing asks anyway"),
    ]
    static let unavailable = [
        Unavailable(
            "--abort-on-container-exit",
            instead: "use `escale up --wait`, which fails when a container ends"
        ),
        Unavailable(
            "--abort-on-container-failure",
            instead: "use `escale up --wait`, which fails when a container ends"
        ),
        Unavailable("--always-recreate-deps", instead: "use --force-recreate"),
        Unavailable("--attach"), Unavailable("--attach-dependencies"), Unavailable("--exit-code-from"),
        Unavailable("--menu"), Unavailable("--no-attach"),
        Unavailable("--no-build", instead: "leave --build away: existing images are used as they are"),
        Unavailable("--no-deps"), Unavailable("--no-recreate"), Unavailable("--no-start"),
        Unavailable("--quiet-pull", instead: "use the global flag `--progress quiet`"),
        Unavailable("--renew-anon-volumes", "-V"),
        Unavailable("--watch", "-w"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        if options.wait && options.noWait {
            throw EscaleError(
                .usage,
                "--wait and --no-wait exclude each other",
                hint: "without both it waits for the end of a release"
            )
        }
        let client = try session.client()
        var project = try session.project(selecting: operands)
        try scale(&project, options.scale)
        let target = Session.Target(name: project.name, project: project)
        var request = UpRequest(
            project: project,
            services: try target.services(operands),
            wait: options.wait,
            waitTimeout: options.waitTimeout,
            build: options.build,
            removeOrphans: options.removeOrphans,
            forceRecreate: options.forceRecreate,
            strategy: options.strategy,
            detachFromRelease: options.noWait
        )
        request.pull = options.pull
        let images = project.services.map { $0.imageName(in: project.name) }
        do {
            request.credentials = try await session.credentials(for: images)
        } catch let error as EscaleError {
            // Most releases pull nothing: a helper that is gone must not stop them.
            session.warn("going on without your registry logins: \(error.message)")
        }
        let started = Timestamp.now
        let result = try await session.withRelease { try await client.up(request, progress: $0) }
        if !result.orphans.isEmpty && !options.removeOrphans {
            session.warn(
                "containers of services that the file no longer has go on: "
                    + "\(result.orphans.joined(separator: ", ")); remove them with --remove-orphans"
            )
        }
        try session.conclude(result.release)
        if options.detach || options.wait || options.noWait { return 0 }
        let style = LogStyle(
            prefix: !options.noLogPrefix,
            timestamps: options.timestamps,
            colours: session.console.output.colours && !options.noColour
        )
        let printer = LogPrinter(
            project.name,
            console: session.console,
            style: style,
            expected: target.expectedContainers
        )
        let attachment = Attachment(
            client: client,
            project: project.name,
            services: Set(request.services.isEmpty ? project.services.map(\.name) : request.services),
            since: started,
            stopTimeout: options.timeout,
            printer: printer,
            session: session
        )
        return try await attachment.run()
    }

    private static func scale(_ project: inout Project, _ counts: [ServiceName: Int]) throws(EscaleError) {
        for (name, count) in counts {
            guard let index = project.services.firstIndex(where: { $0.name == name }) else {
                throw EscaleError(
                    .usage, "--scale: there is no service \(name)", hint: "`escale config --services` lists them")
            }
            if count > 1, let fixed = project.services[index].containerName {
                throw EscaleError(
                    .usage, "--scale: \(name) has the fixed `container_name` \(fixed), so there can be one of it",
                    hint: "remove `container_name` from the service")
            }
            project.services[index].replicas = count
        }
    }
}
