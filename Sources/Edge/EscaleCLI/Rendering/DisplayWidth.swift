/// How many columns of a terminal texts take, without control sequences in them.
enum DisplayWidth {
    static func of(_ text: some StringProtocol) -> Int { text.reduce(0) { $0 + of($1) } }

    static func of(_ character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        if first.isASCII { return first.value < 32 || first.value == 127 ? 0 : 1 }
        if first.properties.generalCategory == .control || first.properties.generalCategory == .nonspacingMark
        {
            return 0
        }
        if character.unicodeScalars.contains(where: { $0.value == 0xFE0F })
            || first.properties.isEmojiPresentation
        {
            return 2
        }
        return wide.contains { $0.contains(first.value) } ? 2 : 1
    }

    /// The East Asian scripts, which take two columns.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE4F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x20000...0x3FFFD,
    ]

    /// The text in at most that many columns, with `…` at the end where something was cut.
    static func fit(_ text: String, _ columns: Int) -> String {
        if of(text) <= columns { return text }
        guard columns > 0 else { return "" }
        var result = ""
        var used = 0
        for character in text {
            let width = of(character)
            if used + width > columns - 1 { break }
            result.append(character)
            used += width
        }
        return result + "…"
    }

    /// The text followed by as many blanks as the column needs.
    static func pad(_ text: String, _ columns: Int) -> String {
        text + String(repeating: " ", count: max(0, columns - of(text)))
    }

    /// The text without what moves the cursor: control sequences go, tabs become blanks.
    static func plain(_ text: String) -> String {
        var result = ""
        var scalars = Substring(text).unicodeScalars
        while let scalar = scalars.popFirst() {
            switch scalar.value {
            case 0x1B: dropSequence(&scalars)
            case 0x09: result += "    "
            case 0..<0x20, 0x7F...0x9F: continue
            case _: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// What follows an escape: `[` with parameters up to its final letter, `]` up to the bell, else one character.
    private static func dropSequence(_ scalars: inout Substring.UnicodeScalarView) {
        switch scalars.popFirst() {
        case "[": while let next = scalars.popFirst(), !(0x40...0x7E).contains(next.value) {}
        case "]": while let next = scalars.popFirst(), next.value != 0x07, next.value != 0x1B {}
        case _: return
        }
    }
}
