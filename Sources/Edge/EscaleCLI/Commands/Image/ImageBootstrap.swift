import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale image bootstrap`
enum ImageBootstrap: CLICommand {
    static let path = ["image", "bootstrap"]
    static let summary = "Make a minimal Debian image from this host's package sources"
    static let details: String? = "For where no registry can be reached. Needs the package mmdebstrap."
    static let operands = Operands.exactly("NAME")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let request = BootstrapRequest(name: operands[0])
        let image = try await session.withProgress { try await client.bootstrapImage(request, progress: $0) }
        session.console.print(image.id)
        return 0
    }
}
