import EscaleCore
package import EscaleEngine
package import EscaleGateway
package import EscaleImages
package import EscaleNetwork
import EscaleOCI
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

extension Platform {
    /// Who a name, or number, is to the files of an image: `USER[:GROUP]`; nobody asked for is root.
    ///
    /// - Parameter layers: as overlayfs wants them, topmost first.
    func user(_ text: String, inLayers layers: [String]) async throws -> ResolvedUser {
        let tree = MergedTree(directories: layers.map { "\(engine.directories.layers)/\($0)" })
        return try await blocking {
            func file(_ path: String) throws -> String {
                try tree.read(path).map { String(decoding: $0, as: UTF8.self) } ?? ""
            }
            return try resolveUser(text.isEmpty ? "0" : text, passwd: file("/etc/passwd"), group: file("/etc/group"))
        }
    }
}
