import EscaleTestSupport

/// Damage as typing, merging and bad tools do it.
enum Mutation {
    /// The text with one to four faults, some of them lines or words of the other text.
    static func damaged(_ text: [UInt8], with other: [UInt8], _ random: inout Seeded) -> [UInt8] {
        var bytes = text
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            if random.once(in: 2) {
                damageLines(&bytes, with: other, &random)
            } else {
                damageBytes(&bytes, with: other, &random)
            }
        }
        return bytes
    }

    private static func damageBytes(_ bytes: inout [UInt8], with other: [UInt8], _ random: inout Seeded) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let length = Int.random(in: 0...min(12, bytes.count - place), using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes.removeSubrange(place..<(place + length))
        case 1: bytes.insert(contentsOf: bytes[place..<(place + length)], at: place)
        case 2: bytes.insert(contentsOf: excerpt(of: other, upTo: 24, &random), at: place)
        case 3 where length > 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        default: bytes.insert(contentsOf: Array(random.one(of: tokens).utf8), at: place)
        }
    }

    private static func damageLines(_ bytes: inout [UInt8], with other: [UInt8], _ random: inout Seeded) {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
        let others = other.split(separator: 10)
        let place = Int.random(in: lines.indices, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: lines.remove(at: place)
        case 1: lines.insert(lines[place], at: Int.random(in: 0...lines.count, using: &random))
        case 2: lines.swapAt(place, Int.random(in: lines.indices, using: &random))
        case 3: lines[place].insert(contentsOf: Array(repeating: 32, count: 2), at: 0)
        case 4: lines[place].removeFirst(min(lines[place].count, 2))
        case 5:
            // The value of a line changes, its key stays.
            guard let colon = lines[place].firstIndex(of: UInt8(ascii: ":")) else { break }
            lines[place].replaceSubrange((colon + 1)..., with: [32] + Array(random.one(of: tokens).utf8))
        default:
            guard !others.isEmpty else { break }
            lines.insert(Array(random.one(of: others)), at: place)
        }
        bytes = Array(lines.joined(separator: [10]))
    }

    private static func excerpt(of bytes: [UInt8], upTo length: Int, _ random: inout Seeded) -> [UInt8] {
        let start = Int.random(in: 0...bytes.count, using: &random)
        return Array(bytes[start..<min(bytes.count, start + Int.random(in: 0...length, using: &random))])
    }

    /// What means something to YAML, to interpolation or to a reader of values.
    static let tokens = [
        "\t", "\n", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: *a\n", "!!str ", "!reset ", "!override ",
        "| ", "> ", "|2-\n", "\"", "'", "#", "? ", "$", "${", "}", "${A:-${B}}", "${TAG:+x}", "${A?no}", "$$",
        "null", "~", "true", "no", "on", "-1", "0", "00", "0o17", "0x", "99999999999999999999", "1e309", ".nan",
        "1.5", "é", "\u{0}", "\u{FEFF}", "\u{2028}", "/", ":", "::", "..", "- - - ", "---\n", "...\n", "%", "=",
        "services:\n", "include:\n  - base.yaml\n", "extends: web\n", "extends: {file: base.yaml, service: web}\n",
        "profiles: [a]\n", "env_file: app.env\n", "1-0", "65536", "[::1]:", "x-escale: {}\n", "\r\n", "\r", "1h1h",
        "64m", "9e9g", "\\", "\\u0000", "👩‍👩‍👧", "web", "db", "service:web", "10.0.0.0/33", "a=b", "a=",
    ]
}
