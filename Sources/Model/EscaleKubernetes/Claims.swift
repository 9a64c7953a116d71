import EscaleCompose
import EscaleCore
import EscaleYAML

/// Named volumes: one PersistentVolumeClaim each, shared where the volume is shared.
extension KubernetesMapping {
    /// Of a claim whose volume says nothing.
    private static let usualSize = "1Gi"

    func claimName(_ key: String) -> String {
        let volume = project.volumes.first { $0.key == key }
        return ObjectNames.label(volume?.isExternal == true ? volume?.name.rawValue ?? key : key)
    }

    mutating func claims(of services: [Service]) -> [KubernetesObject] {
        var claims: [KubernetesObject] = []
        for volume in project.volumes(of: services) where !volume.isExternal && networkShare(volume.key) == nil && volume.boundDirectory == nil {
            let users = services.filter { $0.mounts.contains { $0.source == .volume(key: volume.key) } }
            let inheriting = services.filter { service in
                (service.volumesFrom ?? []).contains { source in users.contains { .service($0.name) == source.owner } }
            }
            let isShared = users.count + inheriting.count > 1 || users.contains { $0.replicas > 1 || $0.deploy?.mode == .global }
            let size = volume.size.map(Self.quantity)
            if size == nil {
                note(
                    .approximated, at: ["volumes", volume.key],
                    "the claim is for \(Self.usualSize), since the file has no size: give it one with x-escale: {size: 10g}")
            }
            if isShared {
                note(
                    .approximated, at: ["volumes", volume.key],
                    "several pods use it, so that it needs a storage class with ReadWriteMany")
            }
            claims.append(
                KubernetesObject(
                    "v1", "PersistentVolumeClaim", claimName(volume.key),
                    [
                        "spec": .object([
                            "accessModes": .list([isShared ? "ReadWriteMany" : "ReadWriteOnce"]),
                            "storageClassName": options.storageClass.map { .string($0) },
                            "resources": .object(["requests": .object(["storage": size ?? .string(Self.usualSize)])]),
                        ])
                    ]))
        }
        return claims
    }
}
