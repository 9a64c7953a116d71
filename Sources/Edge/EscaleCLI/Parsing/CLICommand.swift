import EscaleCore

/// Options that start from their defaults.
package protocol CommandOptions: Sendable { init() }

/// Options of a command that has none.
package struct NoOptions: CommandOptions { package init() {} }

/// One command of `escale`: its table and what it does. Help and the reference page derive from the table.
package protocol CLICommand: SendableMetatype {
    associatedtype Options: CommandOptions = NoOptions

    /// `["up"]`, or `["image", "ls"]`.
    static var path: [String] { get }
    /// What it does, in one line without a full stop.
    static var summary: String { get }
    /// More about it, for its help and the reference page.
    static var details: String? { get }
    static var operands: Operands { get }
    static var flags: [Flag<Options>] { get }
    /// Docker Compose's flags that it doesn't have yet.
    static var unavailable: [Unavailable] { get }
    /// Whether flags end at the first operand.
    static var stopsAtOperand: Bool { get }
    /// The names in its `--format json` output.
    static var fields: [JSONField] { get }

    /// Does it; the result is the exit code.
    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32
}

extension CLICommand {
    package static var details: String? { nil }
    package static var operands: Operands { .none }
    package static var flags: [Flag<Options>] { [] }
    package static var unavailable: [Unavailable] { [] }
    package static var stopsAtOperand: Bool { false }
    package static var fields: [JSONField] { [] }
}

/// A name in JSON output, which programs may rely on.
package struct JSONField: Hashable, Sendable {
    let name: String
    let meaning: String

    init(_ name: String, _ meaning: String) {
        self.name = name
        self.meaning = meaning
    }
}

/// What a command takes besides flags.
package struct Operands: Hashable, Sendable {
    /// As the usage line says it.
    let usage: String
    let minimum: Int
    /// `nil` for any number.
    let maximum: Int?

    static let none = Operands(usage: "", minimum: 0, maximum: 0)
    static let services = Operands(usage: "[SERVICE...]", minimum: 0, maximum: nil)

    static func exactly(_ names: String...) -> Operands {
        Operands(usage: names.joined(separator: " "), minimum: names.count, maximum: names.count)
    }
    static func atMost(_ maximum: Int, _ usage: String) -> Operands {
        Operands(usage: usage, minimum: 0, maximum: maximum)
    }
    static func atLeast(_ minimum: Int, _ usage: String) -> Operands {
        Operands(usage: usage, minimum: minimum, maximum: nil)
    }

    func check(_ given: [String], command: String) throws {
        if given.count < minimum {
            throw EscaleError(
                .usage,
                "`\(command)` needs \(usage)",
                hint: "see `\(command) --help`"
            )
        }
        if let maximum, given.count > maximum {
            let surplus = given[maximum]
            throw EscaleError(
                .usage,
                maximum == 0
                    ? "`\(command)` takes no arguments, but \"\(surplus)\" was given"
                    : "`\(command)` takes only \(usage), but \"\(surplus)\" was given too",
                hint: "see `\(command) --help`"
            )
        }
    }
}
