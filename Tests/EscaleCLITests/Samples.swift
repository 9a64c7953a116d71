import EscaleAPI
import EscaleCore
import EscaleSystem

extension ContainerSummary {
    /// A container of the project `shop`.
    static func sample(
        _ service: String,
        slot: Int = 1,
        generation: Int = 1,
        _ state: State = .running,
        health: Health? = nil,
        exitCode: Int32? = nil,
        age: Duration = .seconds(5),
        ports: [Port] = [],
        now: Timestamp = .now
    ) -> Self {
        let past = now + (.zero - age)
        return ContainerSummary(
            id: ContainerID(rawValue: String(repeating: "a1", count: 32)),
            name: "shop-\(service)-\(slot)",
            project: ProjectName(rawValue: "shop"),
            service: ServiceName(rawValue: service),
            slot: slot,
            generation: generation,
            image: "shop-\(service)",
            imageID: "sha256:" + String(repeating: "b2", count: 32),
            command: ["/docker-entrypoint.sh", "serve", "--port", "80"],
            state: state,
            health: health,
            exitCode: exitCode,
            createdAt: past,
            startedAt: past,
            finishedAt: state == .exited ? past : nil,
            ports: ports
        )
    }
}
