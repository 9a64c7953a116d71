import EscaleAPI
import EscaleClient
import EscaleCore

extension Session {
    /// Does the same to each container that is named, and prints the names; goes on where one fails.
    fileprivate func tell(
        _ action: ServicesRequest.Action, _ names: [String], _ change: (inout ContainerRequest) -> Void = { _ in }
    ) async throws -> Int32 {
        let client = try client()
        var request = ContainerRequest(action)
        change(&request)
        var code: Int32 = 0
        for name in names {
            do {
                try await client.perform(name, request) { _ in }
                console.print(name)
            } catch let error as EscaleError where error.code != .interrupted && names.count > 1 {
                console.print(error.rendered(), to: .error)
                code = 1
            }
        }
        return code
    }
}

private let containers = Operands.atLeast(1, "CONTAINER...")

/// `escale container start`
enum ContainerStart: CLICommand {
    static let path = ["container", "start"]
    static let summary = "Start containers that were stopped or only made"
    static let operands = containers

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        try await session.tell(.start, operands)
    }
}

/// `escale container stop`
enum ContainerStop: CLICommand {
    struct Options: CommandOptions { var timeout: Duration? }

    static let path = ["container", "stop"]
    static let summary = "Stop containers"
    static let operands = containers
    static let flags: [Flag<Options>] = [
        .value("time", "t", "SECONDS", "Grace period, instead of each container's own; 0 kills at once") {
            $0.timeout = try Values.seconds($1)
        }
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        try await session.tell(.stop, operands) { $0.timeout = options.timeout }
    }
}

/// `escale container restart`
enum ContainerRestart: CLICommand {
    static let path = ["container", "restart"]
    static let summary = "Stop containers and start them again"
    static let operands = containers
    static let flags = ContainerStop.flags

    static func run(_ options: ContainerStop.Options, _ operands: [String], in session: Session) async throws -> Int32 {
        try await session.tell(.restart, operands) { $0.timeout = options.timeout }
    }
}

/// `escale container kill`
enum ContainerKill: CLICommand {
    struct Options: CommandOptions { var signal: String? }

    static let path = ["container", "kill"]
    static let summary = "End containers at once, or send them a signal"
    static let operands = containers
    static let flags: [Flag<Options>] = [
        .value("signal", "s", "SIGNAL", "What to send; SIGKILL by default") { $0.signal = $1 }
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        try await session.tell(.kill, operands) { $0.signal = options.signal }
    }
}

/// `escale container pause`
enum ContainerPause: CLICommand {
    static let path = ["container", "pause"]
    static let summary = "Freeze the processes of containers"
    static let operands = containers

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        try await session.tell(.pause, operands)
    }
}

/// `escale container unpause`
enum ContainerUnpause: CLICommand {
    static let path = ["container", "unpause"]
    static let summary = "Let the processes of paused containers go on"
    static let operands = containers

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        try await session.tell(.unpause, operands)
    }
}

/// `escale container rm`
enum ContainerRm: CLICommand {
    struct Options: CommandOptions {
        var force = false
        var volumes = false
    }

    static let path = ["container", "rm"]
    static let summary = "Remove containers"
    static let operands = containers
    static let flags: [Flag<Options>] = [
        .toggle("force", "f", \.force, "Stop first what runs"),
        .toggle("volumes", "v", \.volumes, "Remove their anonymous volumes too"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        try await session.tell(.remove, operands) { request in
            request.stopsFirst = options.force
            request.removesVolumes = options.volumes
        }
    }
}

/// `escale container prune`
enum ContainerPrune: CLICommand {
    struct Options: CommandOptions { var force = false }

    static let path = ["container", "prune"]
    static let summary = "Remove the containers that have ended and belong to no project"
    static let flags: [Flag<Options>] = [.toggle("force", "f", \.force, "Don't ask")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let ended = try await session.client().containers().filter { container in
            (container.project == .own || container.isOneOff == true) && container.state == .exited
        }
        guard !ended.isEmpty else { return 0 }
        let names = ended.map(\.name).joined(separator: ", ")
        guard try options.force || session.confirms("Going to remove \(names)") else { return 1 }
        return try await session.tell(.remove, ended.map(\.id.rawValue))
    }
}
