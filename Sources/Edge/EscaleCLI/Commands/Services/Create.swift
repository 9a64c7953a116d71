import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale create`
enum Create: CLICommand {
    struct Options: CommandOptions {
        var up = Up.Options()
    }

    static let path = ["create"]
    static let summary = "Make containers and start none"
    static let details: String? = """
        Images, networks and volumes are made as by `escale up`. `escale start` starts what was made. Services that run as \
        their file says go on.
        """
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("build", nil, \.up.build, "Build images also where they exist"),
        .toggle("no-build", nil, \.up.noBuild, "Fail where an image is missing, instead of building it"),
        .toggle("force-recreate", nil, \.up.forceRecreate, "Recreate containers even if nothing changed"),
        .toggle("no-recreate", nil, \.up.noRecreate, "Leave containers that exist as they are"),
        .toggle("remove-orphans", nil, \.up.removeOrphans, "Remove containers of services that the file no longer has"),
        .choice("pull", \.up.pull, "When to pull images, whatever the file says"),
        .toggle("quiet-pull", nil, \.up.quietPull, "Show no progress while images are pulled and built"),
        .value("scale", nil, "SERVICE=NUM", "Have that many replicas of a service (repeatable)") {
            let (service, count) = try Values.scale($1)
            $0.up.scale[service] = count
        },
        .toggle("dry-run", nil, \.up.dryRun, "Show what would be done, with its reasons, and do nothing"),
        .toggle("yes", "y", \.up.yes, "Accepted for habit: nothing asks anyway"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        var up = options.up
        up.noStart = true
        return try await Up.run(up, operands, in: session)
    }
}

/// `escale scale`
enum Scale: CLICommand {
    struct Options: CommandOptions {
        var noDependencies = false
    }

    static let path = ["scale"]
    static let summary = "Change how many replicas services have"
    static let details: String? = "Until the next `escale up`, which goes by the file."
    static let operands = Operands.atLeast(1, "SERVICE=NUM...")
    static let flags: [Flag<Options>] = [
        .toggle("no-deps", nil, \.noDependencies, "Leave alone what the services depend on")
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        var up = Up.Options()
        up.detach = true
        up.noDependencies = options.noDependencies
        for operand in operands {
            let (service, count) = try Values.scale(operand)
            up.scale[service] = count
        }
        return try await Up.run(up, up.scale.keys.map(\.rawValue).sorted(), in: session)
    }
}
