import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleOCI
import EscaleSystem

/// What `pull` and `push` are about: services of the project, or images by name.
struct TransferTargets {
    /// Image names, each once, in order.
    var images: [String] = []
    /// Names that are built here, so that a registry may not have them.
    var built: Set<String> = []

    /// - Parameters:
    ///   - operands: names of services, else of images; none for all services.
    ///   - needed: whether what the services depend on counts too.
    ///   - others: whether the images count too that the services need besides their own.
    init(_ operands: [String], withDependencies needed: Bool = false, withOthers others: Bool = false, in session: Session) throws {
        let hasFile = session.hasProject
        // Without a project, or with a name that none of its services has, it is an image that is meant.
        guard operands.isEmpty || hasFile else {
            images = operands
            return
        }
        let project = try session.project(selecting: hasFile ? operands.filter(ServiceName.accepts) : [])
        let names = Set(project.services.map(\.name.rawValue))
        if let external = project.elsewhere.first(where: { operands.contains($0.service.rawValue) }) {
            throw EscaleError.serviceElsewhere(external)
        }
        let services = operands.filter { names.contains($0) }.map { ServiceName(rawValue: $0) }
        let wanted =
            operands.isEmpty
            ? Set(project.services.map(\.name)) : needed ? project.closure(of: services) : Set(services)
        for service in project.services
        where wanted.contains(service.name) && (operands.isEmpty || !services.isEmpty) {
            let image = service.imageName(in: project.name)
            if service.build != nil { built.insert(image) }
            images.append(image)
            if others { images += service.otherImages }
        }
        images += operands.filter { !names.contains($0) }
        var seen: Set<String> = []
        images = images.filter { seen.insert($0).inserted }
    }

    /// Who the user is at the registries of these images.
    func credentials(in session: Session) async throws -> [String: RegistryCredential] {
        try await session.credentials(for: images)
    }
}

extension Session {
    /// Whether there is a compose file to work with.
    var hasProject: Bool {
        if !globals.files.isEmpty || environment["COMPOSE_FILE"] != nil { return true }
        var directory = Substring(globals.projectDirectory.map(absolute) ?? workingDirectory)
        while true {
            if ComposeLoader.fileNames.contains(where: { Files.exists("\(directory)/\($0)") }) { return true }
            guard let slash = directory.lastIndex(of: "/") else { return false }
            directory = directory[..<slash]
        }
    }

    /// Who the user is at the registries of these images.
    func credentials(for images: [String]) async throws -> [String: RegistryCredential] {
        let hosts = images.compactMap { try? ImageReference($0).host }
        return try await DockerConfig(environment: environment).credentials(for: hosts)
    }
}
