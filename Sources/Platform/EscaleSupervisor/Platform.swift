import EscaleCore
import EscaleEngine
package import EscaleImages
package import EscaleNetwork
import EscaleOCI
package import EscaleSystem

/// The parts that every project's supervisor works with; one set for the daemon.
package struct Platform: Sendable {
    package let engine: any ContainerEngine
    package let images: ImageStore
    let volumes: any ContainerVolumes
    let store: StateStore
    let network: AddressBook
    let gateway: any HostGateway
    let meter: TrafficMeter
    let events: EventLog
    package let log: Log

    /// Opens the state below the directories and takes the networks up again.
    ///
    /// - Parameter beforeWriting: called before every change of the state, which it may refuse.
    package init(
        engine: any ContainerEngine, volumes: any ContainerVolumes, images: ImageStore, controller: any HostNetwork,
        gateway: any HostGateway, instance: NetworkInstance, log: Log,
        beforeWriting: @escaping @Sendable () throws -> Void = {}
    ) async throws {
        self.engine = engine
        self.images = images
        self.gateway = gateway
        meter = TrafficMeter(accessLog: gateway.accessLogFile)
        self.log = log
        self.volumes = volumes
        let directories = engine.directories
        store = try await blocking {
            try Files.createDirectories(directories.state)
            let store = try StateStore(path: "\(directories.state)/escale.db", beforeWriting: beforeWriting)
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
