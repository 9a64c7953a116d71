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
        var quietPull = false
        var yes = false
        var noBuild = false
        var noDependencies = false
        var noRecreate = false
        var alwaysRecreateDependencies = false
        var renewAnonymousVolumes = false
        var noStart = false
        var dryRun = false
        var abortOnExit = false
        var abortOnFailure = false
        var exitCodeFrom: String?
        var attach: [String] = []
        var attachDependencies = false
        var noAttach: [String] = []
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
        .toggle("no-build", nil, \.noBuild, "Fail where an image is missing, instead of building it"),
        .toggle("no-deps", nil, \.noDependencies, "Leave alone what the services depend on"),
        .toggle("no-recreate", nil, \.noRecreate, "Leave containers that exist as they are, whatever changed"),
        .toggle(
            "always-recreate-deps",
            nil,
            \.alwaysRecreateDependencies,
            "Recreate also what the services depend on"
        ),
        .toggle(
            "renew-anon-volumes",
            "V",
            \.renewAnonymousVolumes,
            "Give recreated containers empty anonymous volumes"
        ),
        .toggle("no-start", nil, \.noStart, "Make the containers and start none"),
        .toggle("dry-run", nil, \.dryRun, "Show what would be done, with its reasons, and do nothing"),
        .toggle(
            "abort-on-container-exit",
            nil,
            \.abortOnExit,
            "Stop all containers when one has ended"
        ),
        .toggle(
            "abort-on-container-failure",
            nil,
            \.abortOnFailure,
            "Stop all containers when one has ended with an error"
        ),
        .value(
            "exit-code-from",
            nil,
            "SERVICE",
            "Exit with the exit code of the service's container; implies --abort-on-container-exit"
        ) {
            $0.exitCodeFrom = $1
        },
        .value("attach", nil, "SERVICE", "Show the output of this service only (repeatable)") { $0.attach.append($1) },
        .toggle("attach-dependencies", nil, \.attachDependencies, "Show also the output of what the services depend on"),
        .value("no-attach", nil, "SERVICE", "Don't show the output of this service (repeatable)") {
            $0.noAttach.append($1)
        },
        .choice("pull", \.pull, "When to pull images, whatever the file says"),
        .toggle("quiet-pull", nil, \.quietPull, "Show no progress while images are pulled and built"),
        .toggle("yes", "y", \.yes, "Accepted for habit: nothing asks anyway"),
    ]
    static let unavailable = [
        Unavailable("--menu"),
        Unavailable("--watch", "-w", instead: "run `escale watch` beside it"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        if options.wait && options.noWait {
            throw EscaleError(
                .usage,
                "--wait and --no-wait exclude each other",
                hint: "without both it waits for the end of a release"
            )
        }
        if let pair = contradiction(in: options) {
            throw EscaleError(.usage, "\(pair.0) and \(pair.1) exclude each other", hint: "see `escale up --help`")
        }
        let client = try session.client()
        var project = try session.project(selecting: operands)
        try scale(&project, options.scale)
        let target = Session.Target(name: project.name, project: project)
        var request = UpRequest(
            project: project,
            services: try target.ownServices(operands),
            wait: options.wait,
            waitTimeout: options.waitTimeout,
            build: options.build,
            removeOrphans: options.removeOrphans,
            forceRecreate: options.forceRecreate,
            strategy: options.strategy,
            detachFromRelease: options.noWait
        )
        request.pull = options.pull
        request.withoutDependencies = options.noDependencies
        request.keepsExisting = options.noRecreate
        request.recreatesDependencies = options.alwaysRecreateDependencies
        request.renewsAnonymousVolumes = options.renewAnonymousVolumes
        request.createsOnly = options.noStart
        request.refusesToBuild = options.noBuild
        request.isDryRun = options.dryRun
        do {
            request.credentials = try await session.credentials(for: project.imageNames)
        } catch let error as EscaleError {
            // Most releases pull nothing: a helper that is gone must not stop them.
            session.warn("going on without your registry logins: \(error.message)")
        }
        let started = Timestamp.now
        let sent = request
        let result =
            options.noStart || options.dryRun || options.quietPull
            ? try await session.withProgress(options.quietPull ? .quiet : nil) { try await client.up(sent, progress: $0) }
            : try await session.withRelease { try await client.up(sent, progress: $0) }
        if !result.orphans.isEmpty && !options.removeOrphans {
            session.warn(
                "containers of services that the file no longer has go on: "
                    + "\(result.orphans.joined(separator: ", ")); remove them with --remove-orphans"
            )
        }
        try session.conclude(result.release)
        if options.detach || options.wait || options.noWait || options.noStart || options.dryRun { return 0 }
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
            shown: try shown(options, request, target),
            ending: try ending(options, target),
            since: started,
            stopTimeout: options.timeout,
            printer: printer,
            session: session
        )
        return try await attachment.run()
    }

    private static func contradiction(in options: Options) -> (String, String)? {
        let aborts = options.abortOnExit || options.abortOnFailure || options.exitCodeFrom != nil
        let pairs = [
            ("--force-recreate", options.forceRecreate, "--no-recreate", options.noRecreate),
            ("--build", options.build, "--no-build", options.noBuild),
            ("--detach", options.detach || options.wait, "--abort-on-container-exit", aborts),
            ("--abort-on-container-exit", options.abortOnExit, "--abort-on-container-failure", options.abortOnFailure),
            ("--no-start", options.noStart, "--wait", options.wait),
            ("--attach", !options.attach.isEmpty, "--no-attach", !options.noAttach.isEmpty),
        ]
        return pairs.first { $0.1 && $0.3 }.map { ($0.0, $0.2) }
    }

    /// The services whose output is shown.
    private static func shown(
        _ options: Options, _ request: UpRequest, _ target: Session.Target
    ) throws -> Set<ServiceName> {
        if !options.attach.isEmpty { return Set(try target.services(options.attach)) }
        let named = request.services.isEmpty || options.attachDependencies ? request.wanted : Set(request.services)
        let silent = request.project.services.filter { $0.isAttached == false }.map(\.name)
        return named.subtracting(silent).subtracting(try target.services(options.noAttach))
    }

    private static func ending(_ options: Options, _ target: Session.Target) throws -> Attachment.Ending {
        if let name = options.exitCodeFrom { return .withFirst(codeOf: try target.ownServices([name])[0]) }
        if options.abortOnExit { return .withFirst(codeOf: nil) }
        return options.abortOnFailure ? .withFirstFailure : .withLast
    }

    private static func scale(_ project: inout Project, _ counts: [ServiceName: Int]) throws(EscaleError) {
        for (name, count) in counts {
            guard let index = project.services.firstIndex(where: { $0.name == name }) else {
                if let external = project.elsewhere(name) { throw EscaleError.serviceElsewhere(external) }
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
