/// Rows under headings, in columns as wide as they need.
package struct Table: Hashable, Sendable {
    let headings: [String]
    private(set) var rows: [[String]] = []

    package init(_ headings: String...) { self.init(headings) }
    init(_ headings: [String]) { self.headings = headings }

    mutating func add(_ cells: String...) { add(cells) }
    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// Three blanks between columns, none at the line's end. Cells are freed of control sequences.
    package func rendered() -> String {
        let all = [headings] + rows.map { $0.map(DisplayWidth.plain) }
        let widths = headings.indices.map { column in all.map { DisplayWidth.of($0[column]) }.max() ?? 0 }
        return all.map { row in
            let cells = row.enumerated().map { DisplayWidth.pad($0.element, widths[$0.offset]) }
            var line = cells.joined(separator: "   ")
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
