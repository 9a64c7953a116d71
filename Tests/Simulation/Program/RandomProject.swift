import EscaleCompose
import EscaleCore
import EscaleTestSupport

extension Service {
    var isTask: Bool { environment["NATURE"].flatMap(Nature.init)?.isTask == true }
}

extension Seeded {
    /// A project of a few services, as somebody might write it.
    mutating func project() -> Project {
        var project = Project(name: ProjectName(rawValue: "shop"), workingDirectory: "/")
        project.networks = [Network(key: "default", name: NetworkName(rawValue: "shop_default"))]
        project.volumes = [Volume(key: "data", name: VolumeName(rawValue: "shop_data"))]
        project.keptReleases = Int.random(in: 1...4, using: &self)
        for name in ["db", "job", "api", "web"].prefix(Int.random(in: 1...4, using: &self)) {
            project.services.append(service(ServiceName(rawValue: name), after: project.services))
        }
        return project
    }

    private mutating func service(_ name: ServiceName, after others: [Service]) -> Service {
        var service = Service(name: name)
        service.image = "program"
        service.networks = [NetworkAttachment(network: "default")]
        service.replicas = Int.random(in: 1...3, using: &self)
        if chance(25) { service.mounts.append(Mount(.volume(key: "data"), target: "/data")) }
        if chance(15) { service.mounts.append(Mount(.anonymous, target: "/cache")) }
        service.stopGracePeriod = chance(30) ? time(0...3000) : nil
        change(&service)
        service.isTask ? makeTask(&service) : makeServer(&service)
        if chance(15) { service.hooks = preparations() }
        for other in others where chance(40) {
            let condition: Dependency.Condition =
                if other.isTask {
                    .completed
                } else {
                    other.healthcheck != nil && chance(70) ? .healthy : .started
                }
            service.dependencies.append(Dependency(other.name, condition: condition, required: chance(85)))
        }
        return service
    }

    private mutating func preparations() -> ServiceHooks {
        var hooks = ServiceHooks()
        for _ in 0..<Int.random(in: 1...2, using: &self) {
            var hook = Hook(command: ["prepare"])
            hook.environment["NATURE"] = (chance(70) ? Nature.task : .failingTask).rawValue
            hook.runsForEachReplica = chance(40) ? true : nil
            hooks.preStart.append(hook)
        }
        return hooks
    }

    private mutating func makeTask(_ service: inout Service) {
        service.restart = chance(50) ? .no : .onFailure(retries: chance(50) ? 2 : nil)
        service.replicas = 1
    }

    private mutating func makeServer(_ service: inout Service) {
        service.restart = one(of: [.no, .always, .unlessStopped, .unlessStopped, .onFailure(retries: nil), .onFailure(retries: 2)])
        if chance(45) {
            var check = Healthcheck(test: .exec(["check"]))
            check.interval = .seconds(Int.random(in: 2...10, using: &self))
            check.timeout = .seconds(2)
            check.retries = Int.random(in: 1...3, using: &self)
            service.healthcheck = check
        } else if chance(30) {
            service.ports = [PortMapping(hostPort: chance(50) ? UInt16.random(in: 8000...9000, using: &self) : nil, containerPort: 80)]
        }
        if chance(50) {
            var update = UpdateConfig()
            update.parallelism = Int.random(in: 0...2, using: &self)
            update.delay = time(0...2000)
            update.failureAction = one(of: UpdateConfig.FailureAction.allCases)
            update.monitor = time(0...4000)
            update.order = one(of: [nil, .stopFirst, .startFirst])
            service.update = update
        }
        // The file says that two versions may run beside each other, whatever they write.
        if service.update?.order == .startFirst { service.environment["SHARES"] = "1" }
        service.release.drain = time(0...2000)
        service.release.minHealthy = chance(50) ? nil : time(0...2000)
        service.release.keepWarm = time(0...8000)
        service.release.strategy = one(of: [.rolling, .rolling, .blueGreen, .canary])
        service.release.promotesByHand = chance(20)
        if service.release.strategy == .canary {
            service.release.steps = [10, 50, 100].filter { _ in chance(60) }.map {
                .init(weight: $0, pause: chance(20) ? .manual : .lasting(time(0...5000)))
            }
        }
    }

    /// A new version of the service.
    private mutating func change(_ service: inout Service) {
        let isTask = service.environment.isEmpty ? ["job", "cron"].contains(service.name.rawValue) : service.isTask
        service.environment["VERSION"] = "\(Int.random(in: 0...99, using: &self))"
        let natures = Nature.allCases.filter { $0.isTask == isTask }
        service.environment["NATURE"] = (chance(60) ? natures[0] : one(of: natures)).rawValue
    }

    /// What its author does to it next.
    mutating func edit(_ project: inout Project) {
        guard let index = project.services.indices.randomElement(using: &self) else { return }
        switch Int.random(in: 0..<8, using: &self) {
        case 0...3: change(&project.services[index])
        case 4...5: if !project.services[index].isTask { project.services[index].replicas = Int.random(in: 0...3, using: &self) }
        case 6:
            let name = project.services[index].name
            guard project.services.count > 1 else { return }
            project.services.remove(at: index)
            for other in project.services.indices { project.services[other].dependencies.removeAll { $0.service == name } }
        default:
            let known = Set(project.services.map(\.name.rawValue))
            guard let name = ["db", "job", "api", "web", "cron"].first(where: { !known.contains($0) }) else { return }
            project.services.append(service(ServiceName(rawValue: name), after: []))
        }
    }
}
