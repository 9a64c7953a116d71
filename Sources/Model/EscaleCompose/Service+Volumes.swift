extension Service {
    /// The mounts through which the service's containers can write what outlives them or is shared: named and
    /// anonymous volumes and bind mounts that are not read-only. A tmpfs is none.
    package var writtenVolumes: [Mount] {
        mounts.filter { mount in
            switch mount.source {
            case .bind, .volume, .anonymous, .cluster: !mount.readOnly
            case .tmpfs, .image, .pipe: false
            }
        }
    }

    /// Whether two generations at the same time could write the same data.
    package var writesVolumes: Bool { !writtenVolumes.isEmpty || volumesFrom?.contains { !$0.readOnly } == true }

    /// Whether two generations must not run at the same time, as far as the file doesn't say that they may.
    package var excludesOtherVersions: Bool { (writesVolumes && !release.sharesVolumes) || hasFixedAddress }
}
