import EscaleCompose
package import EscaleCore
package import EscaleRelease

/// How a workload's new version takes the place of the one before: what a release has to know besides the manifest.
package struct WorkloadPlan: Codable, Hashable, Sendable {
    package var service: ServiceName
    package var terms: ReleaseTerms
    /// Where an autoscaler decides: to begin with.
    package var replicas: Int
    /// Services that come first where both are new.
    package var after: Set<ServiceName>
    /// Those of them that have to be over: Jobs.
    package var awaited: Set<ServiceName>
    /// Where pods answer HTTP, or anything; `nil` where no port is known.
    package var port: UInt16?

    package init(
        service: ServiceName, terms: ReleaseTerms, replicas: Int, after: Set<ServiceName>, awaited: Set<ServiceName>, port: UInt16?
    ) {
        self.service = service
        self.terms = terms
        self.replicas = replicas
        self.after = after
        self.awaited = awaited
        self.port = port
    }

    /// Whether two versions stand beside each other, and traffic moves from one to the other.
    package var shiftsTraffic: Bool { terms.settings.strategy != .rolling }
}

extension KubernetesMapping {
    mutating func plan(of service: Service) -> WorkloadPlan? {
        let kind = kind(of: service)
        guard kind != .cronJob, kind != .rollout else { return nil }
        var terms = ReleaseTerms(service)
        // The others exchange their pods themselves, since they write what two versions can't share, or run on every node.
        if kind != .deployment { terms.settings.strategy = .rolling }
        if terms.settings.strategy != .rolling { limitAnalysis(&terms, of: service) }
        let dependencies = service.dependencies.filter { dependency in
            project.service(dependency.service) != nil && !project.externalServices.contains { $0.service == dependency.service }
        }
        return WorkloadPlan(
            service: service.name, terms: terms, replicas: max(service.replicas, service.autoscale?.least ?? 0), after: Set(dependencies.map(\.service)),
            awaited: Set(dependencies.filter { $0.condition == .completed && $0.required }.map(\.service)),
            port: httpPort(of: service) ?? ports(of: service).first { !$0.isUDP }?.number)
    }

    /// Nobody counts requests there but for those that the release makes itself.
    private mutating func limitAnalysis(_ terms: inout ReleaseTerms, of service: Service) {
        guard var analysis = terms.settings.analysis, analysis.probePath == nil, analysis.hasTrafficLimits else { return }
        note(.lost, service, "x-escale.release.analysis", "without `probe` there are no requests to judge by, so that its limits are not looked at")
        analysis.maxErrorRate = nil
        analysis.maxErrorRateIncrease = nil
        (analysis.maxP50, analysis.maxP95, analysis.maxP99, analysis.maxP95Ratio) = (nil, nil, nil, nil)
        terms.settings.analysis = analysis
    }
}
