import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleNetwork
import EscaleTestSupport

/// What must hold when the last command has been carried out and nothing moves any more.
struct Rest {
    let host: Host
    let project: Project
    let last: Order

    func check(_ answer: Answer) throws {
        if !host.hasLostWrites { try checkJournal() }
        try checkAgreement(answer)
        switch last {
        case .up: try checkUp(answer)
        case .stop: try demand(host.running.isEmpty, "after stop \(host.running.map(\.title)) runs")
        case .down(let removeVolumes): try checkDown(answer, removeVolumes)
        case .rollback, .release, .services: break
        }
    }

    private func demand(_ holds: Bool, _ rule: @autoclosure () -> String) throws {
        if !holds { throw Broken(description: rule()) }
    }

    private func checkJournal() throws {
        for entry in try Records.journal() {
            try demand(entry.outcome != nil, "the journal says nothing of the end of \(entry.step)")
        }
    }

    /// The daemon, its records and the machine say the same.
    private func checkAgreement(_ answer: Answer) throws {
        let running = Set(answer.containers.filter { $0.state == .running }.map(\.id))
        try demand(running == Set(host.running.map(\.id)), "the daemon thinks that \(running.map(host.title)) runs, and \(host.running.map(\.title)) does")
        let paused = Set(answer.containers.filter { $0.state == .paused }.map(\.id))
        let frozen = Set(host.running.filter(\.isPaused).map(\.id))
        try demand(paused == frozen, "the daemon thinks that \(paused.map(host.title)) is paused, and \(frozen.map(host.title)) is")
        let half = host.containers.values.filter { $0.phase == .created }.map(\.title)
        try demand(half.isEmpty, "\(half) is half made")
        let known = Set(answer.containers.map(\.id))
        let strangers = host.containers.keys.filter { !known.contains($0) }.map(host.title)
        try demand(strangers.isEmpty, "\(strangers) is left over")
        try demand(try Records.count("container") == answer.containers.count, "the records have other containers than the daemon")
    }

    private func checkUp(_ answer: Answer) throws {
        for service in project.services {
            let own = answer.containers.filter { $0.service == service.name && $0.isOneOff != true }
            try demand(
                own.map(\.slot).sorted() == Array(0..<service.replicas).map { $0 + 1 },
                "\(service.name) shall have \(service.replicas) replicas and has \(own.map { "\($0.slot)@\($0.generation) \($0.state)" })")
            try demand(Set(own.map(\.generation)).count <= 1, "\(service.name) has two versions")
            let isTask = service.isTask
            for container in own {
                let isDone = isTask ? container.state == .exited && container.exitCode == 0 : container.state == .running
                try demand(host.containers[container.id]?.isPaused != true, "\(host.title(container.id)) is paused")
                try demand(isDone, "\(host.title(container.id)) is \(container.state): \(container.exitCode ?? 0) \(container.reason ?? "")")
                try demand(isTask || service.healthcheck == nil || container.health == .healthy, "\(host.title(container.id)) is \(container.health?.rawValue ?? "unchecked")")
            }
            try checkTraffic(service, own)
        }
        let names = Set(project.services.map(\.name))
        let orphans = answer.containers.filter { !names.contains($0.service) }
        try demand(orphans.isEmpty, "\(orphans.map(\.name)) is no longer in the file")
        let wanted = project.volumes(of: project.services).map(\.name)
        try demand(host.volumes.isSuperset(of: wanted), "of \(wanted) there is \(host.volumes)")
        let open = answer.releases.first.map { [.running, .paused, .rollingBack].contains($0.state) } ?? false
        try demand(!open, "the last release is \(answer.releases[0].state): \(answer.releases[0].reason ?? "")")
    }

    /// New connections go to exactly the replicas that run.
    private func checkTraffic(_ service: Service, _ own: [ContainerSummary]) throws {
        let running = Set(own.filter { $0.state == .running }.flatMap { $0.addresses.values })
        let virtual = host.network?.services.first { $0.names.first == service.name.rawValue }
        let backends = Set((virtual?.backends ?? []).filter { $0.weight > 0 }.map { "\($0.address)" })
        try demand(backends == running, "\(service.name) runs at \(running.sorted()), and traffic goes to \(backends.sorted())")
    }

    private func checkDown(_ answer: Answer, _ removeVolumes: Bool) throws {
        try demand(answer.containers.isEmpty && host.containers.isEmpty, "after down there is \(host.containers.values.map(\.title))")
        for table in ["project", "network", "container", "release"] {
            try demand(try Records.count(table) == 0, "after down the records have a \(table)")
        }
        try demand(host.network == nil, "after down there are rules")
        try demand(!removeVolumes || host.volumes.isEmpty, "after down --volumes there is \(host.volumes)")
        try demand(try Records.count("volume") == host.volumes.count, "the records have other volumes than there are")
    }
}
