import EscaleCore
package import EscaleEngine
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
    let events: EventLog
    package let log: Log

    /// Opens the state below the directories and takes the networks up again.
    package init(
        engine: Engine, images: ImageStore, controller: NetworkController, instance: NetworkInstance, log: Log
    ) async throws {
        self.engine = engine
        self.images = images
        self.log = log
        volumes = VolumeStore(engine.directories)
        let directories = engine.directories
        store = try await blocking {
            try Files.createDirectories(directories.state)
            let store = try StateStore(path: "\(directories.state)/escale.db")
            try store.tidy(at: .now)
            return store
        }
        network = AddressBook(controller: controller, instance: instance, store: store, records: try store.networks())
        events = EventLog(store: store, log: log)
    }
}
