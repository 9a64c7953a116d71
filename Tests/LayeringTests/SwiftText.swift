/// Swift source without its comments and the text of its strings, so that a search finds only code.
///
/// Line breaks stay, and so does what is interpolated into strings. Regular expression literals are not known.
struct SwiftText {
    private let input: [UInt8]
    private var position = 0
    private var output: [UInt8] = []

    static func code(_ text: String) -> String {
        var scanner = SwiftText(input: Array(text.utf8))
        scanner.code(until: nil)
        return String(decoding: scanner.output, as: UTF8.self)
    }

    private init(input: [UInt8]) { self.input = input }

    private func starts(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { input[position...].starts(with: $0) }
    }

    /// Takes code up to an unpaired closing parenthesis, or to the end.
    private mutating func code(until closing: UInt8?) {
        var depth = 0
        while position < input.count {
            let byte = input[position]
            if starts("//") {
                while position < input.count, input[position] != 10 { position += 1 }
            } else if starts("/*") {
                comment()
            } else if byte == UInt8(ascii: "\"") || (byte == UInt8(ascii: "#") && isRawString) {
                string()
            } else {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if depth == 0, closing != nil { return }
                    depth -= 1
                }
                output.append(byte)
                position += 1
            }
        }
    }

    private var isRawString: Bool {
        let hashes = input[position...].prefix { $0 == UInt8(ascii: "#") }
        return hashes.endIndex < input.count && input[hashes.endIndex] == UInt8(ascii: "\"")
    }

    private mutating func comment() {
        var depth = 0
        repeat {
            if starts("/*") {
                depth += 1
                position += 2
            } else if starts("*/") {
                depth -= 1
                position += 2
            } else {
                if input[position] == 10 { output.append(10) }
                position += 1
            }
        } while depth > 0 && position < input.count
    }

    private mutating func string() {
        let hashes = input[position...].prefix { $0 == UInt8(ascii: "#") }.count
        position += hashes
        let isLong = starts("\"\"\"")
        let quotes = isLong ? 3 : 1
        let end = [UInt8](repeating: UInt8(ascii: "\""), count: quotes) + [UInt8](repeating: UInt8(ascii: "#"), count: hashes)
        let escape = [UInt8(ascii: "\\")] + [UInt8](repeating: UInt8(ascii: "#"), count: hashes)
        position += quotes
        output += Array("\"\"".utf8)
        while position < input.count {
            let rest = input[position...]
            if rest.starts(with: end) {
                position += end.count
                return
            }
            if rest.starts(with: escape) {
                position += escape.count
                guard position < input.count else { return }
                let isInterpolation = input[position] == UInt8(ascii: "(")
                position += 1
                if isInterpolation {
                    output.append(UInt8(ascii: "("))
                    code(until: UInt8(ascii: ")"))
                    output.append(UInt8(ascii: ")"))
                    position += 1
                }
                continue
            }
            if input[position] == 10 { output.append(10) }
            if input[position] == 10 && !isLong { return }
            position += 1
        }
    }
}

extension SwiftText {
    /// What must not be in sources: where a value that isn't there, or an error, would end the process.
    static func traps(in line: some StringProtocol) -> [String] {
        var found: [String] = []
        for word in ["fatalError(", "unsafelyUnwrapped", "try!", "as!"]
        where line.contains(word) {
            found.append(word)
        }
        let bytes = Array(line.utf8)
        for index in bytes.indices.dropFirst() where bytes[index] == UInt8(ascii: "!") {
            let before = bytes[index - 1]
            let after = index + 1 < bytes.count ? bytes[index + 1] : 32
            let word = bytes[..<index].suffix { isLetter($0) }
            let isKnown = ["try", "as"].contains { word.elementsEqual($0.utf8) }
            if after != UInt8(ascii: "="), !isKnown, isLetter(before) || [41, 93, 62, 63, 125].contains(before) {
                found.append("!")
            }
        }
        return found
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "`"), 128...:
            true
        default: false
        }
    }
}

extension Array where Element == UInt8 {
    fileprivate func suffix(while condition: (UInt8) -> Bool) -> [UInt8] {
        Array(reversed().prefix(while: condition).reversed())
    }
}

extension ArraySlice where Element == UInt8 {
    fileprivate func suffix(_ condition: (UInt8) -> Bool) -> [UInt8] { Array(self).suffix(while: condition) }
}
