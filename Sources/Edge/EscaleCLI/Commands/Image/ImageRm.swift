import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale image rm`
enum ImageRm: CLICommand {
    struct Options: CommandOptions {
        var force = false
    }

    static let path = ["image", "rm"]
    static let summary = "Remove images"
    static let operands = Operands.atLeast(1, "IMAGE...")
    static let flags: [Flag<Options>] = [
        .toggle("force", "f", \.force, "Remove them also where containers use them")
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        for name in operands {
            let removal = try await client.removeImage(name, force: options.force)
            for name in removal.untagged { session.console.print("Untagged: \(name)") }
            for id in removal.deleted { session.console.print("Deleted: \(id)") }
        }
        return 0
    }
}
