import EscaleCore

/// A command without its type: what the table of commands holds.
package struct CommandEntry: Sendable {
    package let path: [String]
    let summary: String
    let details: String?
    let operands: Operands
    package let flags: [FlagInfo]
    let unavailable: [Unavailable]
    let fields: [JSONField]
    private let prepare: @Sendable ([String]) throws -> Prepared

    /// What a command's words come to.
    enum Prepared: Sendable {
        case help
        case run(@Sendable (Session) async throws -> Int32)
    }

    init<C: CLICommand>(_ type: C.Type) {
        path = C.path
        summary = C.summary
        details = C.details
        operands = C.operands
        flags = C.flags.map(\.info)
        unavailable = C.unavailable
        fields = C.fields
        let command = ([EscaleCLI.name] + C.path).joined(separator: " ")
        prepare = { words in
            let parser = FlagParser(
                flags: C.flags,
                unavailable: C.unavailable,
                stopsAtOperand: C.stopsAtOperand,
                command: command
            )
            switch try parser.parse(words, into: C.Options()) {
            case .help: return .help
            case .parsed(let options, let operands):
                try C.operands.check(operands, command: command)
                return .run { try await C.run(options, operands, in: $0) }
            }
        }
    }

    /// `escale image ls`
    var command: String { ([EscaleCLI.name] + path).joined(separator: " ") }

    /// Reads the words after the command's name.
    func parse(_ words: [String]) throws -> Prepared { try prepare(words) }
}
