import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleYAML
import FoundationEssentials

/// Images by the digests that they have in the image store, so that a project means the same images tomorrow.
struct ImagePins {
    let session: Session

    /// Each service's image with its digest; services that only build have none.
    ///
    /// - Throws: `config.digest` for an image that is not on this host.
    func images(of project: Project) async throws -> [ServiceName: String] {
        let client = try session.client()
        var pins: [String: String] = [:]
        var images: [ServiceName: String] = [:]
        for service in project.services {
            guard let image = service.image else { continue }
            let pin = if let known = pins[image] { known } else { try await pinned(image, client) }
            pins[image] = pin
            images[service.name] = pin
        }
        return images
    }

    private func pinned(_ image: String, _ client: DaemonClient) async throws -> String {
        if image.contains("@") { return image }
        do {
            let inspected = try JSONDecoder().decode(InspectedImage.self, from: Data(try await client.inspectImage(image)))
            guard let digest = inspected.digest else { throw EscaleError.noDigest(image, "it has no name in the image store") }
            return "\(image)@\(digest)"
        } catch let error as EscaleError where error.code == .init("image.not-found") {
            throw EscaleError.noDigest(image, "the image is not on this host")
        }
    }

    // MARK: Projects

    static func pinned(_ project: Project, _ images: [ServiceName: String]) -> Project {
        var project = project
        for index in project.services.indices {
            if let image = images[project.services[index].name] { project.services[index].image = image }
        }
        return project
    }

    /// A compose file that says nothing but the images: to be merged over the project's own.
    static func override(_ images: [ServiceName: String]) -> YAMLValue {
        let services = images.sorted { $0.key < $1.key }.map { name, image in
            YAMLValue.Member(name.rawValue, .map([.init("image", .string(image))]))
        }
        return .map([.init("services", .map(services))])
    }
}

extension EscaleError {
    fileprivate static func noDigest(_ image: String, _ why: String) -> Self {
        Self(
            .init("config.digest"),
            "the digest of \(image) is not known: \(why)",
            hint: "bring it in with `escale up -d` or `escale image import`; `escale image ls` lists what is there"
        )
    }
}
