import EscaleCompose
import EscaleCore
import EscalePlan

extension EscaleError {
    static func projectUnknown(_ name: ProjectName) -> Self {
        Self(
            .init("project.unknown"), "there is no project \(name)",
            hint: "see which there are: `escale ls`; bring it up with `escale up -d`")
    }

    static func notTakenUp(_ name: ProjectName, _ reason: EscaleError) -> Self {
        Self(
            .init("project.not-taken-up"), "the daemon can't take up what there is of project \(name): \(reason.message)",
            hint: "\(reason.hint.map { "\($0); " } ?? "")it is tried again by itself, and by each command")
    }

    static func releaseMissing(_ number: Int?, of name: ProjectName) -> Self {
        Self(
            .init("release.not-found"),
            number.map { "project \(name) has no release \($0) any more, or never had" }
                ?? "project \(name) has no release yet",
            hint: "see those that are kept: `escale release ls`")
    }

    static func nothingToRollBackTo(_ name: ProjectName) -> Self {
        Self(
            .init("release.no-predecessor"), "project \(name) has no successful release before this one",
            hint: "see what there is: `escale release ls`")
    }

    static func noReleaseRuns(_ name: ProjectName) -> Self {
        Self(
            .init("release.none"), "no release of project \(name) is under way",
            hint: "see the former ones: `escale release ls`; go back to one: `escale rollback N`")
    }

    /// Why a release did not succeed, with what it went by, in one screen.
    static func releaseFailed(_ number: Int, _ state: String, _ reason: String, evidence: String?, hint: String) -> Self {
        let tail = evidence.map { "\n" + $0.split(separator: "\n").suffix(12).map { "    \($0)" }.joined(separator: "\n") } ?? ""
        return Self(.init("release.failed"), "release \(number) \(state): \(reason)\(tail)", hint: hint)
    }

    static func portTaken(_ port: PortMapping, by owner: String) -> Self {
        let address = port.hostAddress.map { "\($0):" } ?? ""
        return Self(
            .init("port.taken"), "port \(address)\(port.hostPort ?? 0)/\(port.transport.rawValue) is taken by \(owner)",
            hint: "stop that, or publish another host port in the compose file")
    }

    static func externalMissing(_ noun: String, _ name: some CustomStringConvertible) -> Self {
        Self(
            .init("\(noun).external-missing"), "the external \(noun) \(name) doesn't exist",
            hint: "bring up the project that makes it first, or remove `external: true`")
    }

    static func bindSourceMissing(_ path: String, service: ServiceName) -> Self {
        Self(
            .init("mount.source-missing"), "service \(service): \(path) doesn't exist on this host",
            hint: "create it, or set `bind: {create_host_path: true}`")
    }

    static func mountUnsupported(_ target: String, service: ServiceName) -> Self {
        Self(
            .init("mount.unsupported"), "service \(service): what is to be mounted at \(target) is not supported",
            hint: "mount a directory, a volume or a tmpfs there")
    }

    static func serviceUnknown(_ service: ServiceName, project: ProjectName) -> Self {
        Self(
            .init("service.unknown"), "project \(project) has no service \(service)",
            hint: "`escale config --services` lists them")
    }

    static func replicaMissing(_ replica: ReplicaID) -> Self {
        Self(
            .init("container.not-running"), "service \(replica.service) has no running container with the number \(replica.slot)",
            hint: "`escale ps -a` shows them; `escale up -d` starts them")
    }

    static func containerNotRunning(_ name: String) -> Self {
        Self(
            .init("container.not-running"), "container \(name) doesn't run",
            hint: "`escale ps -a` shows why; `escale start` starts it")
    }

    static func containerUnknown(_ name: String) -> Self {
        Self(
            .init("container.unknown"), "there is no container \(name)",
            hint: "see which there are: `escale container ls -a`")
    }

    static func superseded(_ project: ProjectName) -> Self {
        Self(
            .init("command.superseded"), "a newer command on project \(project) took over",
            hint: "`escale ps` shows where it stands")
    }

    static func waitedTooLong(_ project: ProjectName, for reasons: [String]) -> Self {
        Self(
            .init("up.timeout"), "project \(project) didn't get there in time",
            hint: "`escale ps` shows where it stands; a longer `--wait-timeout` waits longer",
            details: reasons.isEmpty ? [] : [.init("still waiting", reasons.joined(separator: "\n"))])
    }

    /// Why an `up` failed, with what the container said last.
    static func upFailed(_ failure: Failure, name: String, log: String, probe: String?) -> Self {
        var details: [Detail] = []
        if let probe, !probe.isEmpty { details.append(.init("last probe", probe)) }
        if !log.isEmpty { details.append(.init("end of its log", log)) }
        let logs = "`escale logs \(failure.service)` shows all of its output"
        switch failure.kind {
        case .exited(let code):
            return Self(
                .init("container.exited"), "container \(name) ended: \(Signals.spoken(code))", hint: logs,
                details: details)
        case .crashLoop(let code, let times):
            return Self(
                .init("container.crash-loop"),
                "container \(name) keeps ending (\(times) times in a row): \(Signals.spoken(code))", hint: logs,
                details: details)
        case .unhealthy:
            return Self(
                .init("container.unhealthy"), "container \(name) is unhealthy",
                hint: "run the check by hand with `escale exec \(failure.service) …`; \(logs)", details: details)
        case .unchecked:
            return Self(
                .init("service.unchecked"),
                "service \(failure.service) has to be healthy for another one to start, but has no healthcheck",
                hint: "add a `healthcheck` to it, or depend on it with `condition: service_started`")
        }
    }
}
