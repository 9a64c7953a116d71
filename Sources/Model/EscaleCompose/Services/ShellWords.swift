/// Splits a command line into words as a POSIX shell does, and nothing else of a shell.
enum ShellWords {
    enum Split: Equatable {
        /// The words, and the first sign (`|`, `&`, `;`, `<`, `>`) that a shell would act on and nobody will here.
        case words([String], shellSign: String?)
        case unclosedQuote(Character)
    }

    static func split(_ text: String) -> Split {
        var words: [String] = []
        var word: String.UnicodeScalarView?
        var quote: Unicode.Scalar?
        var sign: String?
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if isEscaped {
                isEscaped = false
                if quote == "\"", !"\"\\$`\n".unicodeScalars.contains(scalar) { word = (word ?? .init()) + ["\\"] }
                if scalar != "\n" { word = (word ?? .init()) + [scalar] }
            } else if scalar == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if scalar == open { quote = nil } else { word = (word ?? .init()) + [scalar] }
            } else if scalar == "'" || scalar == "\"" {
                quote = scalar
                word = word ?? .init()
            } else if scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" {
                if let done = word { words.append(String(done)) }
                word = nil
            } else {
                if sign == nil, "|&;<>".unicodeScalars.contains(scalar) { sign = String(scalar) }
                word = (word ?? .init()) + [scalar]
            }
        }
        if let quote { return .unclosedQuote(Character(quote)) }
        if let done = word { words.append(String(done)) }
        return .words(words, shellSign: sign)
    }
}
