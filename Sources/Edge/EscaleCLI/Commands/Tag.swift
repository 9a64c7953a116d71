import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale tag`
enum Tag: CLICommand {
    static let path = ["tag"]
    static let summary = "Give an image one more name"
    static let operands = Operands.exactly("IMAGE", "NAME")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        try await session.client().tagImage(TagRequest(image: operands[0], name: operands[1]))
        return 0
    }
}

/// `escale image tag`
enum ImageTag: CLICommand {
    static let path = ["image", "tag"]
    static let summary = Tag.summary
    static let operands = Tag.operands

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        try await Tag.run(options, operands, in: session)
    }
}
