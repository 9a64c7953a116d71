package import EscaleCore
package import EscaleOCI
package import EscaleSystem
import Glibc

/// A command to run inside a running container.
package struct ContainerCommand: Hashable, Sendable {
    package var arguments: [String]
    package var terminal: Bool
    /// `nil` for the container's own.
    package var user: String?
    package var workingDirectory: String?
    package var environment: [String: String]

    package init(
        _ arguments: [String], terminal: Bool = false, user: String? = nil, workingDirectory: String? = nil,
        environment: [String: String] = [:]
    ) {
        self.arguments = arguments
        self.terminal = terminal
        self.user = user
        self.workingDirectory = workingDirectory
        self.environment = environment
    }
}

extension Engine {
    /// The runtime's command that runs something in a container, with the caller's own terminal and streams.
    package func execCommand(_ command: ContainerCommand, in id: ContainerID, pidFile: String? = nil) -> Command {
        var arguments = ["exec"]
        if command.terminal { arguments.append("--tty") }
        if let user = command.user { arguments += ["--user", user] }
        if let directory = command.workingDirectory { arguments += ["--cwd", directory] }
        for (key, value) in command.environment.sorted(by: { $0.key < $1.key }) { arguments += ["--env", "\(key)=\(value)"] }
        if let pidFile { arguments += ["--pid-file", pidFile] }
        return runtimeCommand(arguments + [id.rawValue] + command.arguments)
    }

    /// Runs a health check's command as the container's user in its directory; one that takes too long is killed.
    package func probe(
        _ arguments: [String], in container: ContainerSpec, timeout: Duration
    ) async throws -> CommandResult {
        let pidFile = "\(bundle(container.id).directory)/probe.pid"
        let command = execCommand(
            ContainerCommand(
                arguments, user: "\(container.user):\(container.group)",
                workingDirectory: container.workingDirectory),
            in: container.id, pidFile: pidFile)
        let result = try await command.run(outputLimit: 4096, timeout: timeout)
        try await blocking {
            if result.timedOut, let pid = Int32((try? Files.readText(pidFile)) ?? "") { kill(pid, SIGKILL) }
            try Files.remove(pidFile)
        }
        return result
    }
}
