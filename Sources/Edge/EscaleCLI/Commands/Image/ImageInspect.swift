import EscaleClient
import EscaleCore

/// `escale image inspect`
enum ImageInspect: CLICommand {
    static let path = ["image", "inspect"]
    static let summary = "Show all about images, as JSON"
    static let details: String? =
        "Prints an array with the object that `docker image inspect` prints for each image."
    static let operands = Operands.atLeast(1, "IMAGE...")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        var objects: [String] = []
        for name in operands {
            objects.append(String(decoding: try await client.inspectImage(name), as: UTF8.self))
        }
        session.console.print("[\n" + objects.joined(separator: ",\n") + "\n]")
        return 0
    }
}
