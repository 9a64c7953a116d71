import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleOCI
import EscalePlan
import EscaleSystem

/// Commands in a container at turning points of its life.
extension ProjectSupervisor {
    /// What of a hook's output is told.
    private static let outputLimit = 64 << 10
    /// How long what goes before a stop may take where the grace period is shorter.
    private static let leastTimeBeforeStop = Duration.seconds(10)

    /// Runs what the service does after a start, one after the other. Throws where one fails; the container counts as not
    /// started then. It ends when the project is to be stopped meanwhile.
    func runPostStart(_ container: ContainerRecord, _ processes: ContainerProcesses) async throws {
        let hooks = self.hooks(of: container)?.postStart ?? []
        guard !hooks.isEmpty else { return }
        let watch = Task { [engine = platform.engine] in
            try await awaitUnwanted(container)
            try await engine.stop(processes, signal: container.stopSignal, grace: .zero)
        }
        defer { watch.cancel() }
        for hook in hooks {
            let result = try await run(hook, "post_start", in: container, timeout: nil)
            guard result.status != 0 else { continue }
            throw EscaleError(
                .init("hook.failed"),
                "service \(container.replica.service): post_start ended with \(Signals.spoken(result.status)): \(hook.command.joined(separator: " "))",
                hint: "the container is stopped again; run the command by hand with `escale exec`",
                details: result.tail().isEmpty ? [] : [.init("its output", result.tail())])
        }
    }

    /// Returns when the container is no longer to run; throws where the task is cancelled.
    func awaitUnwanted(_ container: ContainerRecord) async throws {
        while isWanted(container) { try await Task.sleep(for: .milliseconds(200)) }
    }

    /// Whether the container shall run; one that belongs to no replica as long as its service may.
    func isWanted(_ container: ContainerRecord) -> Bool {
        guard let desired = effective else { return false }
        if container.isOneOff != true { return desired.wants(container.replica) }
        return desired.goal == .up && desired.service(container.replica.service)?.hold == nil
    }

    /// Runs what the service does before it is stopped. One that fails or takes too long is told and keeps nothing from being
    /// stopped.
    func runPreStop(_ container: ContainerRecord, grace: Duration) async {
        let subject = title(container.replica)
        for hook in hooks(of: container)?.preStop ?? [] {
            let problem: String?
            do {
                let result = try await run(
                    hook, "pre_stop", in: container, timeout: max(grace, Self.leastTimeBeforeStop))
                problem =
                    if result.timedOut { "took too long" } else if result.status == 0 { nil } else {
                        "ended with \(Signals.spoken(result.status))\(result.tail().isEmpty ? "" : ": \(result.tail())")"
                    }
            } catch {
                problem = EscaleError(wrapping: error).message
            }
            guard let problem else { continue }
            emit(subject, .warning, "Stopping without pre_stop", reason: "\(hook.command.joined(separator: " ")) \(problem)")
            platform.events.record("hook.failed", container.name, of: name, ["hook": "pre_stop", "reason": problem])
        }
    }

    private func hooks(of container: ContainerRecord) -> ServiceHooks? {
        container.preparation == nil ? recipes[VersionID(container.replica)]?.service.hooks : nil
    }

    private func run(
        _ hook: Hook, _ kind: String, in container: ContainerRecord, timeout: Duration?
    ) async throws -> CommandResult {
        var command = ContainerCommand(
            hook.command, workingDirectory: hook.workingDirectory, environment: hook.environment)
        if let user = hook.user {
            command.user = try await platform.user(user, inLayers: container.blueprint.layers)
        }
        command.isPrivileged = hook.isPrivileged == true
        let result = try await platform.engine.run(
            command, as: kind, in: container.blueprint.spec, outputLimit: Self.outputLimit, timeout: timeout)
        platform.log.info("a hook ran", ["container": container.name, "hook": kind, "status": "\(result.status)"])
        return result
    }
}
