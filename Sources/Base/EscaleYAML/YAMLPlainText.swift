/// Which text may stand without quotes, for every parser.
///
/// It goes by bytes and scalars, never by characters: a mark that combines with a blank makes it no less a blank to YAML.
enum YAMLPlainText {
    /// Whether the bare text reads back as this very string.
    static func isSafe(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { isSafe($0) } && resolvesToString(text)
    }

    private static func isSafe(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last else { return false }
        if isIndicator(first), !isOption(bytes), !(first == UInt8(ascii: ".") && bytes.contains(UInt8(ascii: "/"))) {
            return false
        }
        guard last != UInt8(ascii: " "), last != UInt8(ascii: ":"), !bytes.starts(with: "---".utf8) else { return false }
        var before: UInt8 = 0
        for byte in bytes {
            let isSign =
                before == UInt8(ascii: ":") && byte == UInt8(ascii: " ")
                || before == UInt8(ascii: " ") && byte == UInt8(ascii: "#")
            if isSign || byte < 0x20 || byte == 0x7F { return false }
            before = byte
        }
        return !looksLikeOldNumber(bytes)
    }

    /// What begins something else than plain text, or is kept from doing so for a reader's sake.
    private static func isIndicator(_ byte: UInt8) -> Bool {
        switch Unicode.Scalar(byte) {
        case "-", "?", ":", ",", "[", "]", "{", "}", "#", "&", "*", "!", "|", ">", "'", "\"", "%", "@", "`", "=", "<", ".", " ":
            true
        default: false
        }
    }

    /// `-v` and `--verbose`, which commands are full of.
    private static func isOption(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count > 1, bytes[0] == UInt8(ascii: "-"), bytes[1] != UInt8(ascii: " ") else { return false }
        return bytes[1] != UInt8(ascii: "-") || bytes.count > 3
    }

    /// Under the core schema, and under YAML 1.1 with its other booleans; nothing in it that has to be escaped.
    private static func resolvesToString(_ text: String) -> Bool {
        if text.utf8.count <= 3, ["y", "n", "yes", "no", "on", "off"].contains(text.lowercased()) { return false }
        guard case .string = YAMLScalar(text, style: .plain).resolved() else { return false }
        return text.utf8.allSatisfy { $0 < 0x80 } || text.unicodeScalars.allSatisfy(isPrintable)
    }

    /// Sexagesimals, dates, octals, `1_000` and whatever else begins like a number without any letter but `x`, `o`, `e`.
    private static func looksLikeOldNumber(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let body = bytes.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        guard let first = body.first, isDigit(first) else { return false }
        let dots = body.count { $0 == UInt8(ascii: ".") }
        let isAddress = dots > 1 && body.allSatisfy { isDigit($0) || $0 == UInt8(ascii: ".") }
        return !isAddress && body.allSatisfy { "0123456789_:.-+eExXoOabcdefABCDEFTZ ".utf8.contains($0) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// Printable and without a role in line breaking; others are escaped.
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7E, 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD,
            0x10000...0x10FFFF:
            true
        default: false
        }
    }
}
