import EscaleCore
import EscaleOCI

extension ImageStore {
    /// The image as `docker image inspect` shows it: one JSON object.
    package func inspectJSON(_ text: String) throws -> [UInt8] {
        let image = try image(text)
        return try encodeJSON(
            Inspection(
                Id: image.id.description,
                RepoTags: image.references.filter { $0.tag != nil }.map(\.familiar),
                RepoDigests: image.sources.compactMap { try? ImageReference($0).familiar },
                Comment: image.config.history.last?.comment ?? "",
                Created: image.created,
                Author: image.config.author ?? "",
                Architecture: image.config.architecture,
                Os: image.config.os,
                Size: image.size.rawValue,
                Config: image.config.config,
                RootFS: .init(Layers: image.layers),
                GraphDriver: .init(Data: ["LowerDir": lowerDirectories(of: image).joined(separator: ":")])
            ),
            pretty: true
        )
    }
}

/// The property names are Docker's.
private struct Inspection: Encodable {
    struct RootFS: Encodable {
        var `Type` = "layers"
        let Layers: [Digest]
    }

    struct GraphDriver: Encodable {
        var Name = "overlay2"
        let Data: [String: String]
    }

    let Id: String
    let RepoTags: [String]
    let RepoDigests: [String]
    let Comment: String
    let Created: Timestamp
    let Author: String
    let Architecture: String
    let Os: String
    let Size: Int64
    let Config: ImageDefaults
    let RootFS: RootFS
    let GraphDriver: GraphDriver
}
