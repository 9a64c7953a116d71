import FoundationEssentials

/// JSON as programs get it from `--format json`.
enum JSONText {
    /// Over several lines, names sorted, with the last line break.
    static func pretty(_ value: some Encodable) throws -> String { try encode(value, [.prettyPrinted]) }

    /// In one line, names sorted, with the line break: one value of a stream.
    static func line(_ value: some Encodable) throws -> String { try encode(value, []) }

    private static func encode(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws
        -> String
    {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}
