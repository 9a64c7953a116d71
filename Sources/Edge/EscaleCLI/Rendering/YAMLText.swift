import EscaleYAML
import FoundationEssentials

/// YAML as programs get it from `--format yaml`: what `--format json` gives, names sorted.
enum YAMLText {
    static func document(_ value: some Encodable) throws -> String {
        let data = try JSONEncoder().encode(value)
        return YAMLWriter.text(try JSONDecoder().decode(Tree.self, from: data).value)
    }

    /// One document of a stream.
    static func item(_ value: some Encodable) throws -> String { "---\n" + (try document(value)) }
}

/// Any JSON value.
private struct Tree: Decodable {
    let value: YAMLValue

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        // Each `try?` asks whether the value is of that kind; the last one says what is wrong.
        if let members = try? decoder.container(keyedBy: Name.self) {
            let names = members.allKeys.sorted { $0.stringValue < $1.stringValue }
            value = .map(
                try names.map { .init($0.stringValue, try members.decode(Tree.self, forKey: $0).value) }
            )
        } else if var items = try? decoder.unkeyedContainer() {
            var list: [YAMLValue] = []
            while !items.isAtEnd { list.append(try items.decode(Tree.self).value) }
            value = .list(list)
        } else {
            value = try Self.scalar(try decoder.singleValueContainer())
        }
    }

    private static func scalar(_ container: any SingleValueDecodingContainer) throws -> YAMLValue {
        if container.decodeNil() { return .null }
        if let flag = try? container.decode(Bool.self) { return .bool(flag) }
        if let number = try? container.decode(Int64.self) { return .int(number) }
        if let number = try? container.decode(Double.self) { return .double(number) }
        return .string(try container.decode(String.self))
    }
}
