import EscaleCore

/// What people are told about a flag: the source of parsing, help, suggestions and the reference page.
package struct FlagInfo: Hashable, Sendable {
    package let long: String
    package let short: Character?
    /// What the value is called; `nil` for a switch.
    package let value: String?
    package let help: String

    /// `-d, --detach` or `    --wait-timeout SECONDS`.
    package var signature: String {
        let lead = short.map { "-\($0), " } ?? "    "
        return "\(lead)--\(long)" + (value.map { " \($0)" } ?? "")
    }
}

/// One flag of a command and what it does to the command's options.
package struct Flag<Options>: Sendable {
    package let info: FlagInfo
    let apply: @Sendable (inout Options, String) throws -> Void

    /// A switch; `--name=false` turns it off again.
    static func toggle(
        _ long: String,
        _ short: Character? = nil,
        _ option: any (WritableKeyPath<Options, Bool> & Sendable),
        _ help: String
    ) -> Self {
        Self(info: FlagInfo(long: long, short: short, value: nil, help: help)) { options, text in
            options[keyPath: option] = try isOn(text)
        }
    }

    /// What is written behind a switch's `=`.
    static func isOn(_ text: String) throws(EscaleError) -> Bool {
        switch text {
        case "true", "1": true
        case "false", "0": false
        default: throw EscaleError(.usage, "must be true or false")
        }
    }

    /// A flag with a value.
    static func value(
        _ long: String,
        _ short: Character? = nil,
        _ value: String,
        _ help: String,
        _ apply: @escaping @Sendable (inout Options, String) throws -> Void
    ) -> Self {
        Self(info: FlagInfo(long: long, short: short, value: value, help: help), apply: apply)
    }

    /// A flag with one of a few values.
    static func choice<Choice: CaseIterable & RawRepresentable & Sendable>(
        _ long: String,
        _ option: any (WritableKeyPath<Options, Choice> & Sendable),
        _ help: String
    ) -> Self where Choice.RawValue == String {
        .value(long, nil, names(of: Choice.self).joined(separator: "|"), help) { options, text in
            options[keyPath: option] = try chosen(text)
        }
    }

    /// A flag with one of a few values, `nil` without it.
    static func choice<Choice: CaseIterable & RawRepresentable & Sendable>(
        _ long: String,
        _ option: any (WritableKeyPath<Options, Choice?> & Sendable),
        _ help: String
    ) -> Self where Choice.RawValue == String {
        .value(long, nil, names(of: Choice.self).joined(separator: "|"), help) { options, text in
            options[keyPath: option] = try chosen(text)
        }
    }

    private static func names<Choice: CaseIterable & RawRepresentable>(of type: Choice.Type) -> [String]
    where Choice.RawValue == String {
        Choice.allCases.map(\.rawValue)
    }

    private static func chosen<Choice: CaseIterable & RawRepresentable>(_ text: String) throws -> Choice
    where Choice.RawValue == String {
        if let choice = Choice(rawValue: text) { return choice }
        let names = names(of: Choice.self)
        throw EscaleError(
            .usage,
            "must be " + spokenList(names, last: "or"),
            hint: closest(to: text, in: names).map { "did you mean \($0)?" }
        )
    }
}

/// `a, b or c`
func spokenList(_ words: [String], last conjunction: String) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " \(conjunction) \(last)"
}
