import EscaleCore

/// Whether the comment above a stage or an `ARG` begins with its name.
extension CheckRun {
    mutating func checkDescriptions() {
        for stage in dockerfile.stages {
            checkDescription(of: "stage", [stage.name].compactMap(\.self), stage.position)
        }
        for line in lines.lines where line.keyword.uppercased() == "ARG" {
            let position = SourcePosition(file: dockerfile.file, line: line.firstLine, column: line.column)
            checkDescription(
                of: "ARG",
                words(at: position).map { String($0.text.prefix { $0 != "=" }) },
                position
            )
        }
    }

    private mutating func checkDescription(of what: String, _ names: [String], _ position: SourcePosition) {
        let above = position.line - 2
        guard above >= lines.directives.count, lines.source.indices.contains(above),
            lines.source[above].isComment
        else { return }
        let comment = lines.source[above].trimmed.dropFirst().trimmed
        guard !names.isEmpty, !comment.isEmpty, !names.contains(String(comment.prefix { !$0.isWhitespace }))
        else {
            return
        }
        report(
            .invalidDefinitionDescription,
            "the comment above the \(what) doesn't begin with its name",
            position,
            hint: "write # \(names[0]) and what it is for, or put an empty line below the comment"
        )
    }
}
