import EscaleCompose
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
    /// For what is recorded and compared; what is only shown has the wall clock's time.
    var clock: SteadyClock { store.clock }

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
        self.log = log
        self.volumes = volumes
        let directories = engine.directories
        store = try await blocking {
            try Files.createDirectories(directories.state)
            let store = try StateStore(path: "\(directories.state)/escale.db", beforeWriting: beforeWriting)
            try store.tidy(at: .now)
            return store
        }
        meter = TrafficMeter(accessLog: gateway.accessLogFile, clock: store.clock)
        network = AddressBook(
            controller: controller, gateway: gateway, instance: instance, store: store, stored: try store.networks())
        events = EventLog(store: store, log: log)
    }
}

extension Platform {
    /// Who a name, or number, is to the files of an image: `USER[:GROUP]`; nobody asked for is root.
    ///
    /// - Parameter layers: as overlayfs wants them, topmost first.
    func user(_ text: String, inLayers layers: [String]) async throws -> ResolvedUser {
        try await blocking {
            let (passwd, group) = try userFiles(inLayers: layers)
            return try resolveUser(text.isEmpty ? "0" : text, passwd: passwd, group: group)
        }
    }

    /// Whom a service's containers run as, its groups among it.
    func user(of recipe: Recipe, inLayers layers: [String]) async throws -> ResolvedUser {
        let subject = "service \(recipe.service.name)"
        return try await blocking {
            let (passwd, group) = try userFiles(inLayers: layers)
            let text = recipe.service.user ?? recipe.image.user ?? ""
            var user = try told("\(subject): user") { () throws(EscaleError) in
                try resolveUser(text.isEmpty ? "0" : text, passwd: passwd, group: group)
            }
            for name in recipe.service.security?.additionalGroups ?? [] {
                let number = try told("\(subject): group_add") { () throws(EscaleError) in try resolveGroup(name, group: group) }
                if !user.additionalGroups.contains(number) { user.additionalGroups.append(number) }
            }
            return user
        }
    }

    /// The texts of the image's `/etc/passwd` and `/etc/group`. Blocks.
    private func userFiles(inLayers layers: [String]) throws -> (passwd: String, group: String) {
        let tree = MergedTree(directories: layers.map { "\(engine.directories.layers)/\($0)" })
        func text(_ path: String) throws -> String { try tree.read(path).map { String(decoding: $0, as: UTF8.self) } ?? "" }
        return (try text("/etc/passwd"), try text("/etc/group"))
    }
}

/// What comes of it; an error says whom it is about.
private func told<Result>(_ subject: String, _ body: () throws(EscaleError) -> Result) throws(EscaleError) -> Result {
    do { return try body() } catch { throw error.of(subject) }
}
