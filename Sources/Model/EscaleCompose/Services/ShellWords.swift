/// Splits a command line into words as a POSIX shell does, and nothing else of a shell.
enum ShellWords {
    enum Split: Equatable {
        /// The words, and the first sign (`|`, `&`, `;`, `<`, `>`) that a shell would act on and nobody will here.
        case words([String], shellSign: String?)
        case unclosedQuote(Character)
    }

    static func split(_ text: String) -> Split {
        var words: [String] = []
        var word = String.UnicodeScalarView()
        /// A pair of quotes makes a word even with nothing inside.
        var hasWord = false
        var quote: Unicode.Scalar?
        var sign: String?
        var isEscaped = false
        func take(_ scalar: Unicode.Scalar) {
            word.append(scalar)
            hasWord = true
        }
        func finish() {
            if hasWord { words.append(String(word)) }
            word = .init()
            hasWord = false
        }
        for scalar in text.unicodeScalars {
            if isEscaped {
                isEscaped = false
                // Between double quotes only these four can be escaped; a line feed vanishes everywhere.
                if quote == "\"", !"\"\\$`\n".unicodeScalars.contains(scalar) { take("\\") }
                if scalar != "\n" { take(scalar) }
            } else if scalar == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if scalar == open { quote = nil } else { take(scalar) }
            } else if scalar == "'" || scalar == "\"" {
                quote = scalar
                hasWord = true
            } else if " \t\n\r".unicodeScalars.contains(scalar) {
                finish()
            } else {
                if sign == nil, "|&;<>".unicodeScalars.contains(scalar) { sign = String(scalar) }
                take(scalar)
            }
        }
        if let quote { return .unclosedQuote(Character(quote)) }
        if isEscaped { take("\\") }
        finish()
        return .words(words, shellSign: sign)
    }
}
