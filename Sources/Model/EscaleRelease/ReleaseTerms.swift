package import EscaleCompose

/// What the file says about how one version of a service takes the place of another, with all that it leaves open filled in.
package struct ReleaseTerms: Codable, Hashable, Sendable {
    package var settings: ReleaseSettings
    package var update: UpdateConfig
    package var rollback: UpdateConfig
    /// Whether two versions must never run at the same time, since both write one volume.
    package var isExclusive: Bool

    package init(_ service: Service) {
        settings = service.release
        update = service.resolvedUpdate
        rollback = service.resolvedRollback
        isExclusive = service.excludesOtherVersions && service.update?.order != .startFirst
    }
}

extension Service {
    /// `update_config` with what the file leaves open: start-first unless a volume is written; where there is no
    /// `update_config` at all, a failure is undone.
    package var resolvedUpdate: UpdateConfig {
        var config = update ?? UpdateConfig()
        if update == nil { config.failureAction = .rollback }
        config.order = config.order ?? (excludesOtherVersions ? .stopFirst : .startFirst)
        return config
    }

    /// `rollback_config`; where there is none, the way back is as the way there, and goes on as far as it can.
    package var resolvedRollback: UpdateConfig {
        guard var config = rollback else {
            var config = resolvedUpdate
            config.failureAction = .pause
            config.delay = .zero
            return config
        }
        config.order = config.order ?? resolvedUpdate.order
        return config
    }
}
