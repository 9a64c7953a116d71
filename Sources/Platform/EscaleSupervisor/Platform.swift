import EscaleCore
package import EscaleEngine
package import EscaleGateway
package import EscaleImages
package import EscaleNetwork
package import EscaleSystem

/// The parts that every project's supervisor works with; one set for the daemon.
package struct Platform: Sendable {
    package let engine: Engine
    package let images: ImageStore
    let volumes: VolumeStore
    let store: StateStore
    let network: AddressBook
    let gateway: Gateway
    let meter: TrafficMeter
    let events: EventLog
    package let log: Log

    /// Opens the state below the directories and takes the networks up again.
    package init(
        engine: Engine, images: ImageStore, controller: NetworkController, gateway: Gateway,
        instance: NetworkInstance, log: Log
    ) async throws {
        self.engine = engine
        self.images = images
        self.gateway = gateway
        meter = TrafficMeter(accessLog: gateway.accessLogFile)
        self.log = log
        volumes = VolumeStore(engine.directories)
        let directories = engine.directories
        store = try await blocking {
            try Files.createDirectories(directories.state)
            let store = try StateStore(path: "\(directories.state)/escale.db")
            try store.tidy(at: .now)
            return store
        }
        network = AddressBook(
            controller: controller, gateway: gateway, instance: instance, store: store, records: try store.networks())
        events = EventLog(store: store, log: log)
    }
}
