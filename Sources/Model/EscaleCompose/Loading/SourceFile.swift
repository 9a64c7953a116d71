import EscaleCore
import EscaleYAML

/// One compose file as it was read: its documents, which count like files that are merged in turn.
struct SourceFile {
    /// Absolute; `-` for standard input.
    let path: String
    /// How positions name it.
    let shown: String
    let text: String
    /// Mappings all. None where the file is empty.
    let documents: [YAMLNode]
    let scope: FileScope?

    /// Who asked for a file, for the message that there is none.
    struct Request {
        /// Such as `compose.file`.
        let code: String
        let position: SourcePosition?
        let hint: String
    }

    /// Reads and checks a file; `nil` where that fails, which is reported.
    ///
    /// - Parameter scope: What the file stands in; `nil` for the project's own.
    static func read(
        _ path: String,
        as reason: LoadHistory.Reason,
        in scope: FileScope?,
        for request: Request,
        _ context: LoadContext
    ) -> SourceFile? {
        guard context.spend(.file, at: request.position) else { return nil }
        let shown = context.open(path, as: reason, in: scope)
        return make(path, context.text(ofFile: path, shown: shown), shown, in: scope, for: request, context)
    }

    /// The file that came in on standard input.
    static func standardInput(
        _ reading: ComposeFileSystem.Reading,
        as reason: LoadHistory.Reason,
        _ context: LoadContext
    ) -> SourceFile? {
        inMemory(reading, LoadContext.standardInput, as: reason, context)
    }

    /// A text that is no file, under that name.
    static func inMemory(
        _ reading: ComposeFileSystem.Reading,
        _ path: String,
        as reason: LoadHistory.Reason,
        _ context: LoadContext
    ) -> SourceFile? {
        let shown = context.open(path, as: reason, in: nil)
        let request = Request(
            code: "compose.file",
            position: nil,
            hint: "give the file's text on standard input"
        )
        return make(path, context.text(reading, shown: shown), shown, in: nil, for: request, context)
    }

    private static func make(
        _ path: String,
        _ reading: LoadContext.TextReading,
        _ shown: String,
        in scope: FileScope?,
        for request: Request,
        _ context: LoadContext
    ) -> SourceFile? {
        switch reading {
        case .reported: return nil
        case .failed(let reason):
            context.error(
                "\(request.code).unreadable",
                "\(shown) can't be read: \(reason)",
                at: request.position
            )
            return nil
        case .missing:
            context.error(
                "\(request.code).missing",
                "there is no file \(shown)",
                at: request.position,
                hint: request.hint
            )
            return nil
        case .text(let text):
            guard let documents = documents(of: text, shown, context) else { return nil }
            return SourceFile(path: path, shown: shown, text: text, documents: documents, scope: scope)
        }
    }

    private static func documents(of text: String, _ shown: String, _ context: LoadContext) -> [YAMLNode]? {
        let (roots, problems) = YAMLDocument.parseAll(text: text, file: shown)
        context.add(problems)
        for problem in problems { if let position = problem.position { context.spoil(position) } }
        guard let roots else { return nil }
        let nodes = roots.reduce(0) { $0 + $1.weight.nodes }
        guard context.spend(.readNodes(nodes), at: roots.first?.position) else { return nil }
        for root in roots {
            guard root.mapping != nil else {
                context.error(
                    "compose.type",
                    "\(shown) must be a mapping, not \(root.spokenKind)",
                    at: root.position,
                    hint: "a compose file begins with `services:`"
                )
                return nil
            }
            check(root, context)
        }
        return roots.isEmpty && !problems.isEmpty ? nil : roots
    }

    /// Tags direct merging, or make types that compose files don't have; no value of a program may hold NUL.
    private static func check(_ node: YAMLNode, _ context: LoadContext) {
        if let tag = node.tag, !coreTags.contains(tag), !MergeTags.isReset(node), !MergeTags.isOverride(node)
        {
            context.error(
                "compose.tag",
                "the tag \(tag) has no meaning here",
                at: node.position,
                hint: Suggestion.nearest(to: tag, among: ["!reset", "!override"]).map {
                    "did you mean \($0)?"
                }
                    ?? "remove it; a compose file may say !reset and !override"
            )
        }
        switch node.content {
        case .scalar(let scalar):
            guard scalar.text.utf8.contains(0) else { break }
            context.error(
                "compose.nul",
                "the text holds a NUL character",
                at: node.position,
                hint: "remove the \\0"
            )
        case .sequence(let items): for item in items { check(item, context) }
        case .mapping(let mapping): for pair in mapping.pairs { check(pair.value, context) }
        }
    }

    private static let coreTags = Set(
        ["str", "int", "bool", "float", "null", "map", "seq"].map { "tag:yaml.org,2002:" + $0 } + ["!"]
    )
}
