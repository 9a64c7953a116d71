/// A place in a file: line and column count from 1, columns in Unicode scalars as libyaml counts them.
package struct SourcePosition: Hashable, Codable, Sendable, Comparable, CustomStringConvertible {
    package let file: String
    package let line: Int
    package let column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    package var description: String { "\(file):\(line):\(column)" }

    package static func < (left: Self, right: Self) -> Bool {
        (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }
}

/// One problem in a file that the user wrote. Loading collects them all instead of stopping at the first.
package struct Diagnostic: Hashable, Codable, Sendable {
    package enum Severity: String, Codable, Sendable { case error, warning }

    package let severity: Severity
    /// Stable and dotted, such as `compose.port.range`.
    package let code: EscaleError.Code
    package let message: String
    package let position: SourcePosition?
    package let hint: String?

    package init(
        _ severity: Severity,
        _ code: EscaleError.Code,
        _ message: String,
        at position: SourcePosition?,
        hint: String? = nil
    ) {
        self.severity = severity
        self.code = code
        self.message = message
        self.position = position
        self.hint = hint
    }

    /// `compose.yaml:12:7: error[compose.port.range]: …`, then the line with a caret where the file is at hand.
    package func rendered(sources: (String) -> [Substring]? = { _ in nil }) -> String {
        var text = "\(severity.rawValue)[\(code)]: \(message)"
        if let position {
            text = "\(position): " + text
            if let lines = sources(position.file), lines.indices.contains(position.line - 1) {
                let line = lines[position.line - 1]
                let number = String(position.line)
                let gutter = String(repeating: " ", count: number.count)
                let lead = line.unicodeScalars.prefix(position.column - 1).map { $0 == "\t" ? "\t" : " " }.joined()
                text += "\n \(number) | \(line)\n \(gutter) | \(lead)^"
            }
        }
        if let hint { text += "\n  hint: \(hint)" }
        return text
    }
}

extension [Diagnostic] {
    package var hasErrors: Bool { contains { $0.severity == .error } }

    /// By position, problems without one first; equal ones once.
    package func sortedByPosition() -> [Diagnostic] {
        var seen = Set<Diagnostic>()
        return filter { seen.insert($0).inserted }.enumerated()
            .sorted { left, right in
                switch (left.element.position, right.element.position) {
                case (let l?, let r?) where l != r: l < r
                case (nil, _?): true
                case (_?, nil): false
                default: left.offset < right.offset
                }
            }
            .map(\.element)
    }
}
