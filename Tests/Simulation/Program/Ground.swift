import EscaleCore
import EscaleEngine
import EscaleImages
import EscaleNetlink
import EscaleNetwork
import EscaleOCI
import EscaleStore
import EscaleSystem
import EscaleTestSupport
import Glibc

/// What all schedules of a process share: a directory in memory, with an image.
final class Ground: @unchecked Sendable {
    let root: String
    let images: ImageStore
    let directories: EngineDirectories
    let instance: NetworkInstance
    let log: Log

    init(isVerbose: Bool) throws {
        root = "/dev/shm/escale-simulate-\(getpid())"
        try Files.createDirectories("\(root)/state")
        images = try ImageStore(root: "\(root)/images")
        directories = EngineDirectories(state: "\(root)/state", runtime: "\(root)/run", layers: images.layersDirectory, instance: "")
        guard let pool = IPv4Subnet("10.88.0.0/16") else { throw Broken(description: "no pool") }
        instance = try NetworkInstance(id: "", pool: pool)
        log = Log(level: isVerbose ? .info : .silent)
    }

    /// Makes the image that every service is made from.
    func prepare() throws {
        let images = images
        BlockingWork.handOver { $0() }
        Task {
            var config = ImageConfig(architecture: "amd64")
            config.config.command = ["program"]
            _ = try await images.createImage(config, layers: [], references: [try ImageReference("program")])
        }
        while VirtualTime.shared.step(until: 0) {}
        _ = try images.image("program")
    }

    func clear() throws {
        Records.database = nil
        for name in try Files.list("\(root)/state") { try Files.remove("\(root)/state/\(name)") }
    }

    func remove() { try? Files.remove(root) }  // it is in memory: the next boot removes it at the latest
}

extension Records {
    static func open(_ ground: Ground) throws { database = try Database(path: "\(ground.root)/state/escale.db") }
}
