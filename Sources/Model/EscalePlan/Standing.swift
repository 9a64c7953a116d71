package import EscaleCompose
package import EscaleCore

/// How a service stands towards a condition that is asked of it.
package enum Standing: Hashable, Sendable {
    case met
    case pending
    /// It won't be met unless something changes.
    case failed(Failure)
}

/// Why a service, or a whole `up`, doesn't get there.
package struct Failure: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case exited(code: Int32)
        case unhealthy
        /// It has to be healthy and nothing says how to tell.
        case unchecked
        /// It keeps ending soon after its start.
        case crashLoop(code: Int32, times: Int)
    }

    package var kind: Kind
    package var service: ServiceName
    package var container: ContainerID?

    package init(_ kind: Kind, service: ServiceName, container: ContainerID?) {
        self.kind = kind
        self.service = service
        self.container = container
    }
}

/// After so many quick ends in a row, somebody who waits is told instead of waiting on.
private let patience = 3

/// How long a service that nothing checks has to have run before somebody who waits is told that it runs: what ends at
/// once, for a typing error in its command, ends sooner. One replica that lasted speaks for the others.
private let settling = Duration.milliseconds(500)

/// How a service's containers stand towards a condition; all of its replicas have to meet it.
///
/// - Parameter since: when the user asked; a container that ended before that, or was stopped, counts as not started.
package func standing(
    of service: DesiredService, containers: [ObservedContainer], for condition: Dependency.Condition, since: Timestamp
) -> Standing {
    if condition == .healthy && !service.isChecked {
        return .failed(Failure(.unchecked, service: service.name, container: nil))
    }
    var standing: Standing = containers.count < service.replicas ? .pending : .met
    for container in containers {
        switch stand(container, service, condition, since: since) {
        case .met: break
        case .pending: standing = .pending
        case .failed(let failure): return .failed(failure)
        }
    }
    return standing
}

private func stand(
    _ container: ObservedContainer, _ service: DesiredService, _ condition: Dependency.Condition, since: Timestamp
) -> Standing {
    func failed(_ kind: Failure.Kind) -> Standing {
        .failed(Failure(kind, service: service.name, container: container.id))
    }
    guard container.fingerprint == service.fingerprint else { return .pending }
    switch (container.phase, condition) {
    case (.created, _): return .pending
    case (.running, .started): return .met
    case (.running, .completed): return .pending
    case (.running, .healthy):
        switch container.health {
        case .healthy: return .met
        case .unhealthy: return failed(.unhealthy)
        case .starting, nil: return .pending
        }
    case (.exited, _) where container.isStale(since: since): return .pending
    case (.exited(0, _), .completed): return .met
    case (.exited(let code, _), _):
        guard RestartDelay.applies(service.restart, code: code, failures: container.failures, endedWithHost: container.endedWithHost) else {
            return condition == .started && code == 0 ? .met : failed(.exited(code: code))
        }
        return container.failures >= patience ? failed(.crashLoop(code: code, times: container.failures)) : .pending
    }
}

/// Whether an `up` that somebody waits for has got there.
///
/// - Parameter healthy: whether checked services have to be healthy, others have to have run for a moment, and whatever
///   ended with an error is a failure (`up --wait`); without it, started is enough.
package func progress(
    of desired: DesiredProject, _ observed: ObservedProject, healthy: Bool, now: Timestamp
) -> Standing {
    let byService = Dictionary(grouping: observed.containers, by: \.replica.service)
    var overall = Standing.met
    for service in desired.services {
        let (wanted, containers) = service.standing(among: byService[service.name] ?? [])
        if let hold = service.hold {
            if !isHeld(byService[service.name] ?? [], service, hold) { overall = .pending }
            continue
        }
        if containers.contains(where: { $0.isRunning && $0.round < service.round ?? 0 }) { overall = .pending }
        let own = standing(
            of: wanted, containers: containers, for: healthy && service.isChecked ? .healthy : .started,
            since: desired.requestTime(of: service))
        switch own {
        case .met: if healthy && !service.isChecked && !hasSettled(containers, now) { overall = .pending }
        case .pending: overall = .pending
        case .failed(let failure):
            // A service that ended is a failure for those who wait for it to run; `up -d` has started it all the same.
            if healthy { return .failed(failure) }
        }
        if let blocked = blockade(of: wanted, in: desired, byService, containers) { return .failed(blocked) }
    }
    return overall
}

/// Whether a service that shall not run is where it shall be.
private func isHeld(
    _ containers: [ObservedContainer], _ service: DesiredService, _ hold: DesiredService.Hold
) -> Bool {
    switch hold {
    case .created:
        containers.count { !$0.isRunning && $0.fingerprint == service.fingerprint } >= service.replicas
    case .stopped: !containers.contains(where: \.isRunning)
    case .removed: containers.isEmpty
    }
}

private func hasSettled(_ containers: [ObservedContainer], _ now: Timestamp) -> Bool {
    let starts = containers.compactMap { container -> Timestamp? in
        switch container.phase {
        case .running(let since): since
        case .created, .exited: nil
        }
    }
    return starts.min().map { now - $0 >= settling } ?? true
}

/// What keeps a service that hasn't started from ever starting.
private func blockade(
    of service: DesiredService, in desired: DesiredProject, _ byService: [ServiceName: [ObservedContainer]],
    _ containers: [ObservedContainer]
) -> Failure? {
    let waits = containers.count < service.replicas || containers.contains { $0.phase == .created }
    guard waits else { return nil }
    for dependency in service.dependencies where dependency.required {
        guard let other = desired.service(dependency.service) else { continue }
        let (wanted, others) = other.standing(among: byService[other.name] ?? [])
        let standing = standing(
            of: wanted, containers: others, for: dependency.condition, since: desired.requestTime(of: other))
        if case .failed(let failure) = standing { return failure }
    }
    return nil
}
