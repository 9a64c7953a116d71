import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale image prune`
enum ImagePrune: CLICommand {
    struct Options: CommandOptions {
        var all = false
        var force = false
    }

    static let path = ["image", "prune"]
    static let summary = "Remove images without a name, and the build cache that no image is made of"
    static let flags: [Flag<Options>] = [
        .toggle("all", "a", \.all, "Also images with names that no container was made from"),
        .toggle("force", "f", \.force, "Accepted for habit: nothing asks anyway"),
    ]
    static let unavailable = [Unavailable("--filter")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let result = try await session.client().pruneImages(all: options.all)
        for name in result.untagged { session.console.print("untagged: \(name)") }
        for id in result.deleted { session.console.print("deleted: \(id)") }
        session.console.print("Total reclaimed space: \(result.freed)")
        return 0
    }
}

/// `escale image fsck`
enum ImageFsck: CLICommand {
    struct Options: CommandOptions {
        var repair = false
    }

    static let path = ["image", "fsck"]
    static let summary = "Read the whole image store and find what is damaged"
    static let details: String? = """
        Compares every blob and layer with its digest, and what images and the registry name with what is there. Prints a line \
        for each problem and fails where one is left. With --repair layers are unpacked again where their archive is whole, \
        and what is lost is forgotten, so that it can be pulled or built again.
        """
    static let flags: [Flag<Options>] = [.toggle("repair", nil, \.repair, "Put right what can be")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let check = try await session.withProgress {
            try await client.checkStore(repairing: options.repair, progress: $0)
        }
        for problem in check.problems { session.console.print(problem) }
        for repair in check.repaired { session.console.print("repaired: \(repair)") }
        return check.problems.isEmpty || options.repair ? 0 : 1
    }
}

/// `escale image history`
enum ImageHistory: CLICommand {
    struct Options: CommandOptions {
        var noTruncation = false
        var format = ListFormat.table
    }

    static let path = ["image", "history"]
    static let summary = "Show the steps that an image was made in"
    static let operands = Operands.exactly("IMAGE")
    static let flags: [Flag<Options>] = [
        .toggle("no-trunc", nil, \.noTruncation, "Show the whole of each step"),
        .choice("format", \.format, "How to print"),
    ]
    static let fields = [
        JSONField("createdAt", "RFC 3339"), JSONField("createdBy", "the step"),
        JSONField("size", "bytes of its layer"), JSONField("comment", "what the builder noted"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let entries = try await session.client().history(of: operands[0])
        try session.printList(entries, options.format) { entries in
            var table = Table("CREATED", "CREATED BY", "SIZE", "COMMENT")
            for entry in entries {
                let text = entry.createdBy.split(whereSeparator: \.isNewline).joined(separator: " ")
                table.add(
                    entry.createdAt.map { "\((Timestamp.now - $0).spokenText) ago" } ?? "",
                    options.noTruncation || text.count <= 60 ? text : text.prefix(59) + "…",
                    entry.size.description,
                    entry.comment
                )
            }
            return table
        }
        return 0
    }
}

/// `escale system df`
enum SystemDf: CLICommand {
    struct Options: CommandOptions {
        var format = ListFormat.table
    }

    static let path = ["system", "df"]
    static let summary = "Show what images, containers, volumes, the build cache and the registry take on the disk"
    static let flags: [Flag<Options>] = [.choice("format", \.format, "How to print")]
    static let fields = [
        JSONField("type", "`Images`, `Containers`, `Local Volumes`, `Build Cache` or `Registry`"), JSONField("total", "how many there are"),
        JSONField("active", "how many are in use"), JSONField("size", "bytes"),
        JSONField("reclaimable", "bytes that a prune would free"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let usage = try await session.client().diskUsage()
        try session.printList(usage.items, options.format) { items in
            var table = Table("TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE")
            for item in items {
                table.add(
                    item.type,
                    "\(item.total)",
                    "\(item.active)",
                    item.size.description,
                    item.reclaimable.description
                )
            }
            return table
        }
        return 0
    }
}
