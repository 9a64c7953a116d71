/// How a server wants to be told who asks: one scheme of `WWW-Authenticate` (RFC 9110, section 11.6.1).
struct Challenge: Hashable, Sendable {
    /// In lower case: `basic`, `bearer`.
    let scheme: String
    /// Names in lower case.
    let parameters: [String: String]

    /// All challenges of a header's value; what can't be read is left out.
    static func parse(_ text: String) -> [Challenge] {
        var parser = Parser(rest: text.unicodeScalars[...])
        return parser.challenges()
    }

    private struct Parser {
        var rest: Substring.UnicodeScalarView

        mutating func challenges() -> [Challenge] {
            var found: [(String, [String: String])] = []
            while true {
                // What ends the bare data of another scheme (`Negotiate abc==`) says nothing either.
                rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "," || $0 == "=" }
                let word = token()
                guard !word.isEmpty else { break }
                skipBlanks()
                if rest.first == "=", !found.isEmpty {
                    rest.removeFirst()
                    skipBlanks()
                    found[found.count - 1].1[word.lowercased()] = value()
                } else {
                    found.append((word.lowercased(), [:]))
                }
            }
            return found.map { Challenge(scheme: $0.0, parameters: $0.1) }
        }

        private mutating func skipBlanks() { rest = rest.drop { $0 == " " || $0 == "\t" } }

        private mutating func token() -> String {
            let word = rest.prefix {
                $0.value > 0x20 && $0.value < 0x7F && $0 != "," && $0 != "=" && $0 != "\""
            }
            rest = rest[word.endIndex...]
            return String(word)
        }

        private mutating func value() -> String {
            guard rest.first == "\"" else { return token() }
            rest.removeFirst()
            var text = String.UnicodeScalarView()
            while let scalar = rest.popFirst(), scalar != "\"" {
                if scalar == "\\", let next = rest.popFirst() {
                    text.append(next)
                } else {
                    text.append(scalar)
                }
            }
            return String(text)
        }
    }
}
