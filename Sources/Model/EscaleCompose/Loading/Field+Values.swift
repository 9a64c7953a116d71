import EscaleCore
import EscaleYAML

/// Values of releases and of the gateway: words, shares, ports, paths and names of HTTP.
extension Field {
    /// One of the type's words.
    func choice<Word: CaseIterable & RawRepresentable<String>>(of type: Word.Type) -> Word? {
        let words = Word.allCases.map(\.rawValue)
        let possible = "possible are \(Self.listed(words))"
        guard let text = filledText(hint: possible) else { return nil }
        if let word = Word(rawValue: text) { return word }
        let near = Suggestion.nearest(to: text, among: words).map { "did you mean \($0)? " } ?? ""
        error("compose.value", "\(path): \"\(text)\" is not possible here", hint: near + possible)
        return nil
    }

    /// `a, b and c`.
    static func listed(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return "\(words.dropLast().joined(separator: ", ")) and \(last)"
    }

    /// A number; text of digits is one too.
    func number() -> Double? {
        let value: Double? =
            switch node.resolved {
            case .int(let value): Double(value)
            case .float(let value): value
            case .string(let text): Double(text)
            case .null, .bool, nil: nil
            }
        if let value, value.isFinite { return value }
        mismatch(value == nil ? "a number" : "a finite number", hint: "write a number such as 2 or 0.5")
        return nil
    }

    /// A part of a whole as 0...1, written as `1%` or `0.01`.
    func share() -> Double? {
        let example = "write a share such as 1% or 0.01"
        guard let text = text(hint: example) else { return nil }
        let isPercent = text.hasSuffix("%")
        guard let number = Double(isPercent ? text.dropLast() : text[...]), number.isFinite else {
            error("compose.share", "\(path): \"\(text)\" is not a share", hint: example)
            return nil
        }
        let share = isPercent ? number / 100 : number
        guard (0...1).contains(share) else {
            let isForgotten = !isPercent && (1...100).contains(number)
            error(
                "compose.range",
                "\(path) is \(text); it must be 0% to 100%",
                hint: isForgotten ? "write \(text)% if you mean percent" : example
            )
            return nil
        }
        return share
    }

    /// A duration that is not zero.
    func positiveDuration() -> Duration? {
        guard let duration = duration() else { return nil }
        if duration > .zero { return duration }
        error(
            "compose.range",
            "\(path) is 0; it must be longer",
            hint: "write a duration such as 500ms or 10s, or remove the line"
        )
        return nil
    }

    /// 1...65535.
    func port() -> UInt16? { integer(in: 1...65535).flatMap(UInt16.init(exactly:)) }

    /// A path of a URL, from the slash on.
    func urlPath(example: String) -> String? {
        guard let text = filledText(hint: "write a path such as \(example)") else { return nil }
        guard text.hasPrefix("/") else {
            error(
                "compose.http.path",
                "\(path): \"\(text)\" must begin with a slash",
                hint: text.contains("://") ? "write only the path, such as \(example)" : "write /\(text)"
            )
            return nil
        }
        guard text.unicodeScalars.allSatisfy({ (0x21...0x7E).contains($0.value) }) else {
            error(
                "compose.http.path",
                "\(path): \"\(text)\" holds characters that no URL has",
                hint: "write them percent-encoded, such as %20 for a blank"
            )
            return nil
        }
        return text
    }

    /// A name as HTTP allows it for headers and cookies.
    func httpName(of what: String, example: String) -> String? {
        let hint = "name a \(what), such as \(example)"
        if case .bool = node.resolved {
            mismatch("the name of a \(what)", hint: hint)
            return nil
        }
        guard let text = filledText(hint: hint) else { return nil }
        let isValid = text.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9": true
            default: "!#$%&'*+-.^_`|~".unicodeScalars.contains(scalar)
            }
        }
        if isValid, text.utf8.count <= 128 { return text }
        error(
            "compose.http.name",
            "\(path): \"\(text)\" is not a valid name of a \(what)",
            hint: "use up to 128 letters, digits, '-' and '_', such as \(example)"
        )
        return nil
    }

    /// A DNS name in lower case; with `*.` before it, any name right below it, where that is allowed.
    func dnsName(allowingWildcard: Bool = false) -> String? {
        let example = "write a name such as shop.example.org"
        guard let written = filledText(hint: example) else { return nil }
        let text = written.lowercased()
        let bare = allowingWildcard && text.hasPrefix("*.") ? text.dropFirst(2) : text[...]
        let isValid =
            bare.utf8.count <= 253
            && bare.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy {
                        (48...57).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 95
                    }
            }
        if isValid { return text }
        error(
            "compose.http.host",
            "\(path): \"\(written)\" is not a host name",
            hint: hostHint(text) ?? example
        )
        return nil
    }

    private func hostHint(_ text: String) -> String? {
        if text == "*" { return "to serve every host, remove the line" }
        if text.contains("*") { return "a * stands only for the whole first part, such as *.example.org" }
        if text.contains("/") { return "write only the name, without scheme and path" }
        if text.contains(":") { return "write only the name; the port goes under `port`" }
        return text.utf8.allSatisfy { $0 < 0x80 } ? nil : "write it in its ASCII form, which begins with xn--"
    }
}
