import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale image import`
enum ImageImport: CLICommand {
    static let path = ["image", "import"]
    static let summary = "Make an image of a root file system in a tar file"
    static let details: String? = "The file may be compressed with gzip, zstd, xz or bzip2."
    static let operands = Operands.exactly("TAR", "NAME")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let path = operands[0].hasPrefix("/") ? operands[0] : "\(session.workingDirectory)/\(operands[0])"
        let request = ImportRequest(path: path, name: operands[1])
        let client = try session.client()
        let image = try await session.withProgress { try await client.importImage(request, progress: $0) }
        session.console.print(image.id)
        return 0
    }
}
