package import EscaleAPI
package import EscaleCore
import EscaleEngine
import EscaleOCI
import EscaleSystem

/// What takes room on the disk though nothing runs that needs it.
extension Supervisor {
    /// What was removed besides images.
    package struct Pruned: Sendable {
        package var containers: [String] = []
        package var networks: [String] = []
        package var volumes: [String] = []
        package var freed = ByteCount(0)
    }

    /// Removes the containers and networks of projects of which nothing runs or is about to; their volumes stay.
    ///
    /// - Parameter volumes: also anonymous volumes that no container has.
    package func prune(
        volumes: Bool, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> Pruned {
        var pruned = Pruned()
        // What can't be taken up is for a person to decide on.
        for summary in await summaries() where summary.failure == nil {
            let containers = await self.containers(of: summary.name)
            guard !containers.isEmpty, containers.allSatisfy({ $0.state == .exited }) else { continue }
            let networks = try platform.store.networks().records.filter { $0.project == summary.name }.map(\.name.rawValue)
            let engine = platform.engine
            let taken = try await blocking { containers.reduce(0) { $0 + engine.diskUsage(of: $1.id).rawValue } }
            try await down(summary.name, DownRequest(), observer: observer)
            pruned.containers += containers.map(\.name)
            pruned.networks += networks
            pruned.freed = ByteCount(pruned.freed.rawValue + taken)
        }
        guard volumes else { return pruned }
        for volume in try platform.store.volumes() where volume.name.isAnonymous(of: volume.project) {
            let project = self.project(volume.project)
            let path = platform.volumes.path(volume.name)
            let taken = try await blocking { Files.usage(path).rawValue }
            guard try await project.removeUnused(volume.name) else { continue }
            pruned.volumes.append(volume.name.rawValue)
            pruned.freed = ByteCount(pruned.freed.rawValue + taken)
        }
        return pruned
    }

    /// What containers and volumes take on the disk.
    package func diskUsage() async throws -> (containers: DiskUsage.Item, volumes: DiskUsage.Item) {
        let containers = try platform.store.containers().records
        let volumes = try platform.store.volumes()
        let used = Set(containers.map(\.project))
        let platform = platform
        return try await blocking {
            func item(_ type: String, _ sizes: [(size: Int64, isActive: Bool)]) -> DiskUsage.Item {
                DiskUsage.Item(
                    type: type, total: sizes.count, active: sizes.count(where: \.isActive),
                    size: ByteCount(sizes.reduce(0) { $0 + $1.size }),
                    reclaimable: ByteCount(sizes.filter { !$0.isActive }.reduce(0) { $0 + $1.size }))
            }
            let containerSizes = containers.map { (platform.engine.diskUsage(of: $0.id).rawValue, $0.processes != nil) }
            let volumeSizes = volumes.map { volume in
                (Files.usage(platform.volumes.path(volume.name)).rawValue, used.contains(volume.project))
            }
            return (item("Containers", containerSizes), item("Local Volumes", volumeSizes))
        }
    }
}

extension VolumeName {
    /// Whether it was made for a place that the image declares, and named by nobody: `shop_db-1_0a1b2c3d`.
    func isAnonymous(of project: ProjectName) -> Bool {
        guard rawValue.hasPrefix("\(project)_"), let last = rawValue.lastIndex(of: "_") else { return false }
        let digest = rawValue[rawValue.index(after: last)...]
        let slot = rawValue[..<last].split(separator: "-").last ?? ""
        return digest.count == 8 && digest.allSatisfy(\.isHexDigit) && !slot.isEmpty && slot.allSatisfy(\.isNumber)
    }
}

extension ProjectSupervisor {
    /// Removes a volume that no container of the project can have.
    ///
    /// - Returns: whether it did.
    fileprivate func removeUnused(_ volume: VolumeName) async throws -> Bool {
        guard !exists, containers.isEmpty, volumes.contains(volume) else { return false }
        try await removeVolume(volume)
        return true
    }
}
