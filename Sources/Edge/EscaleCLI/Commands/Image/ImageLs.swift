import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale image ls`
enum ImageLs: CLICommand {
    struct Options: CommandOptions {
        var quiet = false
        var format = ListFormat.table
    }

    static let path = ["image", "ls"]
    static let summary = "List the images on this host"
    static let flags: [Flag<Options>] = [
        .toggle("quiet", "q", \.quiet, "Print only the images' IDs"),
        .choice("format", \.format, "How to print"),
    ]
    static let fields = [
        JSONField("id", "`sha256:…` of the image"),
        JSONField("names", "its names with tags"),
        JSONField("size", "bytes"),
        JSONField("createdAt", "RFC 3339"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let images = try await session.client().images()
        if options.quiet {
            for image in images { session.console.print(image.id) }
            return 0
        }
        try session.printList(images, options.format) { table($0, now: .now) }
        return 0
    }

    static func table(_ images: [ImageSummary], now: Timestamp) -> Table {
        var table = Table("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE")
        for image in images {
            for (repository, tag) in image.names.isEmpty
                ? [("<none>", "<none>")] : image.names.map(ImageText.split)
            {
                table.add(
                    repository,
                    tag,
                    ImageText.short(image.id),
                    "\((now - image.createdAt).spokenText) ago",
                    image.size.description
                )
            }
        }
        return table
    }
}
