import EscaleCore

/// Releases that would endanger data, or ask for what isn't there.
extension Validation {
    func checkRelease(of service: Service) {
        checkWriters(of: service)
        if service.http == nil, service.release.preview?.host != nil {
            context.error(
                "compose.release.preview",
                "services.\(service.name): the preview has a host name, but the gateway doesn't serve the service",
                at: position("x-escale.release.preview.host", of: service),
                hint: "add x-escale: {http: {…}} to the service, or preview by `port`"
            )
        }
        guard let analysis = service.release.analysis else { return }
        if service.release.strategy == .rolling {
            context.warning(
                "compose.release.analysis",
                "services.\(service.name): a rolling update is not analysed; it goes by health, exits and `monitor`",
                at: position("x-escale.release.analysis", of: service),
                hint: "use strategy: canary or blue-green to have requests judged"
            )
        } else {
            checkTraffic(analysis, of: service)
        }
    }

    /// Two generations that write the same volume destroy data; that is never done unasked.
    private func checkWriters(of service: Service) {
        if service.hasFixedAddress { return checkAddressOwners(of: service) }
        guard service.excludesOtherVersions else { return }
        let targets = Field.listed(service.writtenVolumes.map(\.target))
        guard service.release.strategy == .rolling else {
            context.error(
                "compose.release.volumes",
                "services.\(service.name) writes \(targets), so two versions at once, as by \(service.release.strategy.rawValue), could destroy its data",
                at: position("x-escale.release.strategy", of: service),
                hint:
                    "use strategy: rolling, which stops the old version first; or, if both may write at once, add shared_volumes: true; or mount with :ro"
            )
            return
        }
        for (key, config) in [("update_config", service.update), ("rollback_config", service.rollback)] {
            guard config?.order == .startFirst else { continue }
            context.warning(
                "compose.release.volumes",
                "services.\(service.name): with start-first two generations write \(targets) at the same time",
                at: position("deploy.\(key).order", of: service),
                hint:
                    "use order: stop-first, or say that it is safe with x-escale: {release: {shared_volumes: true}}"
            )
        }
    }

    /// A fixed address is one container's at a time.
    private func checkAddressOwners(of service: Service) {
        if service.release.strategy != .rolling {
            context.error(
                "compose.release.address",
                "services.\(service.name) has a fixed address, which two versions at once, as by \(service.release.strategy.rawValue), can't both have",
                at: position("x-escale.release.strategy", of: service),
                hint: "use strategy: rolling, which stops the old version first; or remove the address"
            )
        }
        for (key, config) in [("update_config", service.update), ("rollback_config", service.rollback)] {
            guard config?.order == .startFirst else { continue }
            context.error(
                "compose.release.address",
                "services.\(service.name) has a fixed address, which with start-first two containers would have",
                at: position("deploy.\(key).order", of: service),
                hint: "use order: stop-first, or remove the address"
            )
        }
    }

    /// Requests are only seen where the gateway passes them on.
    private func checkTraffic(_ analysis: Analysis, of service: Service) {
        let limits: [Bool] = [
            analysis.maxErrorRate != nil, analysis.maxP50 != nil, analysis.maxP95 != nil,
            analysis.maxP99 != nil, analysis.maxErrorRateIncrease != nil, analysis.maxP95Ratio != nil,
        ]
        let isServed = service.http != nil || service.ports.contains { $0.applicationProtocol != nil }
        guard limits.contains(true), !isServed else { return }
        context.warning(
            "compose.release.analysis",
            "services.\(service.name): no request can be judged, since the gateway doesn't serve the service",
            at: position("x-escale.release.analysis", of: service),
            hint: "add x-escale: {http: {…}} to the service, or app_protocol: http to its port"
        )
    }

    /// Where the service's attribute stands, else the service.
    func position(_ attribute: String, of service: Service) -> SourcePosition? {
        place(.attribute(attribute, of: service.name.rawValue)) ?? place(.service(service.name.rawValue))
    }
}
