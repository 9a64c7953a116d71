import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale images`
enum Images: CLICommand {
    struct Options: CommandOptions {
        var quiet = false
        var format = ListFormat.table
    }

    /// One container with its image.
    struct Row: Codable, Hashable, Sendable {
        var container: String
        var service: ServiceName
        var image: String
        var imageID: String
        var size: ByteCount?
        var createdAt: Timestamp?
    }

    static let path = ["images"]
    static let summary = "List the images that the project's containers run"
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("quiet", "q", \.quiet, "Print only the images' IDs"),
        .choice("format", \.format, "How to print"),
    ]
    static let fields = [
        JSONField("container", "container name"),
        JSONField("service", "service name"),
        JSONField("image", "image name"),
        JSONField("imageID", "`sha256:…` of the image"),
        JSONField("size", "bytes; missing for an image that is gone"),
        JSONField("createdAt", "RFC 3339; missing for an image that is gone"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let target = try session.target()
        let services = try target.services(operands)
        let images = Dictionary(
            try await client.images().map { ($0.id, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let rows = try await client.containers(of: target.name)
            .filter { services.isEmpty || services.contains($0.service) }
            .map { container in
                let image = images[container.imageID]
                return Row(
                    container: container.name,
                    service: container.service,
                    image: container.image,
                    imageID: container.imageID,
                    size: image?.size,
                    createdAt: image?.createdAt
                )
            }
        if options.quiet {
            for id in Set(rows.map(\.imageID)).sorted() { session.console.print(id) }
            return 0
        }
        try session.printList(rows, options.format) { rows in
            var table = Table("CONTAINER", "REPOSITORY", "TAG", "IMAGE ID", "SIZE", "CREATED")
            for row in rows {
                let (repository, tag) = ImageText.split(row.image)
                table.add(
                    row.container,
                    repository,
                    tag,
                    ImageText.short(row.imageID),
                    row.size?.description ?? "",
                    row.createdAt.map { "\((Timestamp.now - $0).spokenText) ago" } ?? ""
                )
            }
            return table
        }
        return 0
    }
}
