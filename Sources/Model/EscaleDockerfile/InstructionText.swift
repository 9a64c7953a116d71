/// `--name` or `--name=value` after an instruction's name.
struct Flag {
    /// With its dashes.
    let name: String
    /// Its quotes and escapes taken away; `nil` where there is no `=`.
    let value: String?
    /// Where it begins in the instruction's text.
    let start: String.Index
    /// Whether a quote in it is still open at the instruction's end.
    let isUnclosed: Bool
    /// Where each character of the value is in the instruction's text, and where the flag ends.
    private let places: [String.Index]

    /// Where a character of the value is in the instruction's text; the flag's beginning for one far off.
    func place(ofValue offset: Int) -> String.Index {
        places.indices.contains(offset) ? places[offset] : start
    }

    /// Takes the flag that the text begins with; `nil` where it begins with none.
    init?(taking rest: inout Substring, escape: Character) {
        guard rest.hasPrefix("--"), rest.dropFirst(2).first?.isLetter == true else { return nil }
        start = rest.startIndex
        var characters: [(Character, String.Index)] = []
        var quote: Character?
        var isEscaped = false
        while let character = rest.first {
            if isEscaped {
                characters.append((character, rest.startIndex))
                isEscaped = false
            } else if character == escape {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { characters.append((character, rest.startIndex)) }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character.isWhitespace {
                break
            } else {
                characters.append((character, rest.startIndex))
            }
            rest.removeFirst()
        }
        let end = rest.startIndex
        rest = rest.trimmed
        isUnclosed = quote != nil
        let equals = characters.firstIndex { $0.0 == "=" } ?? characters.count
        name = String(characters[..<equals].map(\.0))
        let after = characters.dropFirst(equals + 1)
        value = equals < characters.count ? String(after.map(\.0)) : nil
        places = after.map(\.1) + [end]
    }
}

/// What follows an instruction's name, as part of its logical line's text.
struct InstructionText {
    let flags: [Flag]
    let rest: Substring
    let heredocs: [Heredoc]
    let escape: Character

    init(_ text: Substring, heredocs: [Heredoc], escape: Character) {
        var flags: [Flag] = []
        var rest = text
        while let flag = Flag(taking: &rest, escape: escape) { flags.append(flag) }
        // A lone -- ends the flags.
        if rest.hasPrefix("--"), rest.dropFirst(2).first?.isWhitespace != false {
            rest = rest.dropFirst(2).trimmed
        }
        self.flags = flags
        self.rest = rest
        self.heredocs = heredocs
        self.escape = escape
    }

    var words: [Substring] { splitWords(rest, escape: escape) }
    /// `nil` where it isn't the JSON form.
    var json: [String]? { rest.first == "[" ? parseStringArray(rest) : nil }
    var command: CommandLine { json.map { .exec($0) } ?? .shell(String(rest)) }
    var isEmpty: Bool { rest.isEmpty && flags.isEmpty }
}
