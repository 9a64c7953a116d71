/// A pattern of `${name#pattern}` and its kin: `*` for any text, `?` for any one character.
struct ShellPattern: Hashable, Sendable {
    enum Part: Hashable, Sendable {
        case scalar(Unicode.Scalar)
        /// `?`
        case one
        /// `*`
        case many
    }

    private(set) var parts: [Part] = []

    /// Adds text that is as it is.
    mutating func append(literal text: String) { parts += text.unicodeScalars.map { .scalar($0) } }

    /// Adds a character that may be `*` or `?`.
    mutating func append(_ character: Character) {
        switch character {
        case "*": parts.append(.many)
        case "?": parts.append(.one)
        default: append(literal: String(character))
        }
    }

    /// The text without the beginning that matches.
    func removingPrefix(of text: String, longest: Bool) -> String {
        let scalars = Array(text.unicodeScalars)
        let ends = ends(in: scalars, from: 0)
        guard let end = longest ? ends.last : ends.first else { return text }
        return string(scalars[end...])
    }

    /// The text without the end that matches.
    func removingSuffix(of text: String, longest: Bool) -> String {
        let scalars = Array(text.unicodeScalars.reversed())
        let ends = ShellPattern(parts: parts.reversed()).ends(in: scalars, from: 0)
        guard let end = longest ? ends.last : ends.first else { return text }
        return string(scalars[end...].reversed())
    }

    /// The text with another in place of the first match, or of all; the longest ones from the left. An empty
    /// pattern matches nothing.
    func replacing(in text: String, with replacement: String, all: Bool) -> String {
        guard !parts.isEmpty else { return text }
        let scalars = Array(text.unicodeScalars)
        if scalars.isEmpty { return ends(in: [], from: 0).isEmpty ? text : replacement }
        var result = ""
        var index = 0
        var isDone = false
        while index < scalars.count {
            if !isDone, let end = ends(in: scalars, from: index).last, end > index {
                result += replacement
                index = end
                isDone = !all
            } else {
                result.unicodeScalars.append(scalars[index])
                index += 1
            }
        }
        return result
    }

    /// Where matches that begin at an index end, in order.
    private func ends(in text: [Unicode.Scalar], from start: Int) -> [Int] {
        // The places in the pattern that the text so far may have led to.
        var states = [Bool](repeating: false, count: parts.count + 1)
        states[0] = true
        skipMany(&states)
        var ends = states[parts.count] ? [start] : []
        for index in start..<text.count {
            var following = [Bool](repeating: false, count: parts.count + 1)
            for (place, part) in parts.enumerated() where states[place] {
                switch part {
                case .scalar(let scalar): if scalar == text[index] { following[place + 1] = true }
                case .one: following[place + 1] = true
                case .many: following[place] = true
                }
            }
            skipMany(&following)
            states = following
            guard states.contains(true) else { break }
            if states[parts.count] { ends.append(index + 1) }
        }
        return ends
    }

    /// `*` may be nothing at all.
    private func skipMany(_ states: inout [Bool]) {
        for (place, part) in parts.enumerated() where states[place] && part == .many {
            states[place + 1] = true
        }
    }

    private func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return String(text)
    }
}
