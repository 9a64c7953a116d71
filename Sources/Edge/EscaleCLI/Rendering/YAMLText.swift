import EscaleYAML
import FoundationEssentials

/// YAML as programs get it from `--format yaml`: what `--format json` gives, names sorted.
enum YAMLText {
    static func document(_ value: some Encodable) throws -> String {
        let data = try JSONEncoder().encode(value)
        return YAMLWriter.text(try JSONDecoder().decode(YAMLValue.self, from: data))
    }

    /// One document of a stream.
    static func item(_ value: some Encodable) throws -> String { "---\n" + (try document(value)) }
}
