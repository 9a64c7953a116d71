import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale wait`
enum WaitCommand: CLICommand {
    struct Options: CommandOptions {
        var downProject = false
    }

    static let path = ["wait"]
    static let summary = "Wait until containers of services end, and print their exit codes"
    static let details: String? = "Its own exit code is that of the last one that ended with an error, else 0."
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("down-project", nil, \.downProject, "Take the project down when the first one has ended")
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let target = try session.target()
        let services = try target.services(operands)
        let containers = try await client.containers(of: target.name).filter { container in
            container.isOneOff != true && (services.isEmpty || services.contains(container.service))
                && container.state != .created
        }
        guard !containers.isEmpty else {
            throw EscaleError(
                .init("service.no-containers"), "there is no container to wait for", hint: "see `escale ps -a`")
        }
        var code: Int32 = 0
        try await withThrowingTaskGroup(of: ContainerEnd.self) { group in
            for container in containers { group.addTask { try await client.awaitEnd(of: container.id.rawValue) } }
            for try await end in group {
                session.console.print(containers.count == 1 ? "\(end.exitCode)" : "\(end.container.name) \(end.exitCode)")
                if end.exitCode != 0 { code = end.exitCode }
                if options.downProject {
                    group.cancelAll()
                    break
                }
            }
        }
        if options.downProject {
            try await session.withProgress { try await client.down(target.name, DownRequest(), progress: $0) }
        }
        return code
    }
}
