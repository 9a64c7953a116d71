/// Colours for one stream; plain text where the stream has none.
package struct Style: Hashable, Sendable {
    let colours: Bool

    package init(colours: Bool) { self.colours = colours }
    package init(_ device: Console.Device) { self.init(colours: device.colours) }

    func red(_ text: String) -> String { paint(text, "31") }
    func green(_ text: String) -> String { paint(text, "32") }
    func yellow(_ text: String) -> String { paint(text, "33") }
    func blue(_ text: String) -> String { paint(text, "34") }
    func bold(_ text: String) -> String { paint(text, "1") }
    func dim(_ text: String) -> String { paint(text, "2") }

    /// One of a circle of colours that are told apart easily; the same for the same index.
    func distinct(_ text: String, _ index: Int) -> String {
        let codes = ["36", "33", "32", "35", "34", "96", "93", "92", "95", "94"]
        return paint(text, codes[index % codes.count])
    }

    /// A rendered error with its labels coloured.
    func errorText(_ text: String) -> String {
        guard colours else { return text }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            for (label, code) in [("error: ", "1;31"), ("hint: ", "1;36"), ("warning: ", "1;33")]
            where line.hasPrefix(label) {
                return paint(String(line.prefix(label.count - 1)), code) + line.dropFirst(label.count - 1)
            }
            return String(line)
        }
        return lines.joined(separator: "\n")
    }

    private func paint(_ text: String, _ code: String) -> String {
        colours && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}

extension Style {
    /// A rendered diagnostic with its severity coloured.
    func diagnosticText(_ text: String) -> String {
        guard colours, let bracket = text.firstRange(of: "error[") ?? text.firstRange(of: "warning[") else {
            return text
        }
        let end =
            text[bracket.lowerBound...].firstIndex(of: "]").map { text.index(after: $0) }
            ?? bracket.upperBound
        let severity = String(text[bracket.lowerBound..<end])
        let painted = severity.hasPrefix("error") ? red(severity) : yellow(severity)
        return text[..<bracket.lowerBound] + painted + text[end...]
    }
}
