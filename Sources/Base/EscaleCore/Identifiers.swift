/// A name that was checked once, at the edge, and is trusted from there on.
package protocol ValidatedName: RawRepresentable, Hashable, Codable, Sendable, Comparable,
    CustomStringConvertible, CodingKeyRepresentable
where RawValue == String {
    /// What the name is for, as an error says it: "service name".
    static var noun: String { get }
    /// What it may be made of, as a hint says it.
    static var alphabet: String { get }
    /// Whether the text may be such a name.
    static func accepts(_ text: String) -> Bool
    /// Takes the text as it is; callers have checked it or read it from Escale's own state.
    init(rawValue: String)
}

extension ValidatedName {
    /// Throws `input.invalid` where ``accepts(_:)`` refuses the text.
    package init(validating text: String) throws(EscaleError) {
        guard Self.accepts(text) else {
            throw EscaleError(
                .invalidInput, "\"\(text)\" is not a valid \(Self.noun)",
                hint: "use \(Self.alphabet), starting with a letter or digit")
        }
        self.init(rawValue: text)
    }

    package static var alphabet: String { "letters, digits, '_', '.' and '-'" }

    package var description: String { rawValue }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    package init(from decoder: any Decoder) throws {
        self.init(rawValue: try decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    package var codingKey: any CodingKey { NameKey(stringValue: rawValue) }
    package init?<Key: CodingKey>(codingKey: Key) { self.init(rawValue: codingKey.stringValue) }

    /// The rule of the Compose Specification for object names: `^[a-zA-Z0-9._-]+$`, and no leading `-` or `.`.
    package static func accepts(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
        return isWord(first) && text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

private struct NameKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// A project's name: lower-case letters, digits, `-` and `_`, starting with a letter or digit.
package struct ProjectName: ValidatedName {
    package static let noun = "project name"
    package static let alphabet = "lower-case letters, digits, '_' and '-'"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static func accepts(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 63 else { return false }
        let lower = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digit = UInt8(ascii: "0")...UInt8(ascii: "9")
        return (lower.contains(first) || digit.contains(first))
            && text.utf8.allSatisfy {
                lower.contains($0) || digit.contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            }
    }
}

/// A service's name within its project.
package struct ServiceName: ValidatedName {
    package static let noun = "service name"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// A network's key in the compose file, or its name on the host (`project_key`): see the property that holds it.
package struct NetworkName: ValidatedName {
    package static let noun = "network name"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// A volume's name on the host (`project_key`, or the name it was given).
package struct VolumeName: ValidatedName {
    package static let noun = "volume name"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// A container's identity for its whole life: 64 hexadecimal digits, as Docker's.
package struct ContainerID: ValidatedName {
    package static let noun = "container id"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    /// A fresh one from the given source of randomness.
    package init(using generator: inout some RandomNumberGenerator) {
        rawValue = (0..<4).map { _ in hexadecimal(generator.next() as UInt64) }.joined()
    }

    /// The first twelve digits, as people see it.
    package var short: String { String(rawValue.prefix(12)) }
}

/// One replica of a service. The slot, from 1, outlives the containers that fill it one after the other.
package struct ReplicaID: Hashable, Codable, Sendable, Comparable, CustomStringConvertible {
    package let service: ServiceName
    package let slot: Int
    /// The number of the release that brought the version it is of: two of one slot may run beside each other.
    package let generation: Int

    package init(service: ServiceName, slot: Int, generation: Int = 1) {
        self.service = service
        self.slot = slot
        self.generation = generation
    }

    /// Without the generation: what people call it.
    package var description: String { "\(service)-\(slot)" }

    package static func < (left: Self, right: Self) -> Bool {
        (left.service, left.slot, left.generation) < (right.service, right.slot, right.generation)
    }
}

/// A SHA-256 digest in the form `sha256:<64 hexadecimal digits>` of the OCI image specification.
package struct Digest: Hashable, Codable, Sendable, CustomStringConvertible {
    /// The 64 lower-case hexadecimal digits.
    package let hex: String

    package init?(_ text: String) {
        guard text.hasPrefix("sha256:") else { return nil }
        self.init(hex: String(text.dropFirst(7)))
    }

    package init?(hex: String) {
        let digits = hex.utf8
        let isDigit: (UInt8) -> Bool = {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
        guard digits.count == 64, digits.allSatisfy(isDigit) else { return nil }
        self.hex = hex
    }

    /// From the 32 bytes of the hash.
    package init(bytes: some Sequence<UInt8>) {
        hex = bytes.map { hexadecimal($0) }.joined()
    }

    /// The first twelve digits, as people see it.
    package var short: String { String(hex.prefix(12)) }
    package var description: String { "sha256:" + hex }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let digest = Digest(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a sha256 digest")
        }
        self = digest
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The value in lower-case hexadecimal, padded to its full width.
package func hexadecimal<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: Value.bitWidth / 4 - digits.count) + digits
}
