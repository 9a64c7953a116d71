package import EscaleCore
package import EscaleOCI
package import EscaleSystem
import Glibc

/// A command to run inside a running container, with all that the container's own process has: its user and groups, its
/// environment, directory, capabilities and limits, but for what is given here.
package struct ContainerCommand: Hashable, Sendable {
    package var arguments: [String]
    package var terminal: Bool
    package var user: ResolvedUser?
    package var workingDirectory: String?
    /// Besides the container's own.
    package var environment: [String: String]
    /// Whether the runtime returns when it has started, and gives it no streams.
    package var isDetached = false
    /// Whether it has every capability, whatever the container has.
    package var isPrivileged = false

    package init(
        _ arguments: [String], terminal: Bool = false, user: ResolvedUser? = nil, workingDirectory: String? = nil,
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
    ///
    /// What it runs is in a file of the container's that the runtime reads at its start: the command has to be run
    /// within a minute. Blocks.
    package func execCommand(_ command: ContainerCommand, in container: ContainerSpec) throws(EscaleError) -> Command {
        let bundle = bundle(container.id)
        bundle.removeOldCommands()
        let file = bundle.commandFile(hexadecimal(UInt64.random(in: 0 ... .max)))
        try bundle.write(RuntimeSpec.Process(container, running: command), to: file)
        let detached = command.isDetached ? ["--detach"] : []
        return runtimeCommand(["exec"] + detached + ["--process", file, container.id.rawValue], of: container.id)
    }

    /// Runs a health check's command as the container's user in its directory; one that takes too long is killed.
    package func probe(
        _ arguments: [String], in container: ContainerSpec, timeout: Duration
    ) async throws -> CommandResult {
        try await run(ContainerCommand(arguments), as: "probe", in: container, outputLimit: 4096, timeout: timeout)
    }

    /// Runs a command in the container to its end; one that takes too long is killed.
    ///
    /// - Parameters:
    ///   - name: of its files; one command at a time has it.
    ///   - timeout: `nil` for as long as the container runs.
    package func run(
        _ command: ContainerCommand, as name: String, in container: ContainerSpec, outputLimit: Int, timeout: Duration?
    ) async throws -> CommandResult {
        let bundle = bundle(container.id)
        let pidFile = "\(bundle.directory)/\(name).pid"
        let file = bundle.commandFile(name)
        try await blocking { try bundle.write(RuntimeSpec.Process(container, running: command), to: file) }
        let program = runtimeCommand(["exec", "--process", file, "--pid-file", pidFile, container.id.rawValue], of: container.id)
        let result = try await program.run(outputLimit: outputLimit, timeout: timeout)
        try await blocking {
            if result.timedOut, let pid = Int32((try? Files.readText(pidFile)) ?? "") { kill(pid, SIGKILL) }
            try Files.remove(pidFile)
        }
        return result
    }
}

extension RuntimeSpec.Process {
    /// As the container's own, but for what the command says.
    fileprivate init(_ container: ContainerSpec, running command: ContainerCommand) {
        var spec = container
        spec.arguments = command.arguments
        spec.initProgram = nil
        spec.terminal = command.terminal
        spec.environment.merge(command.environment) { _, given in given }
        if let directory = command.workingDirectory { spec.workingDirectory = directory }
        if command.isPrivileged { spec.capabilities = HostFacts.capabilities() }
        if let user = command.user {
            spec.user = user.uid
            spec.group = user.gid
            spec.additionalGroups = user.additionalGroups
        }
        self.init(spec)
    }
}
