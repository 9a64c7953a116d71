/// Text with variables: `$V`, `${V}`, `${V:-default}`, `${V-default}`, `${V:?error}`, `${V?error}`,
/// `${V:+replacement}`, `${V+replacement}`, nested, and `$$` for a dollar sign.
struct VariableTemplate {
    indirect enum Part {
        case text(String)
        case variable(Variable)
    }

    struct Variable {
        let name: String
        /// Where its `$` stands, in Unicode scalars from the start of the text.
        let offset: Int
        let rule: Rule?
    }

    /// What stands after the name; `whenEmpty` is the form with the colon, which treats empty as unset.
    struct Rule {
        enum Kind { case `default`, required, replacement }

        let kind: Kind
        let whenEmpty: Bool
        let word: [Part]
    }

    /// A place where the text is no template.
    struct Fault: Error {
        let offset: Int
        let message: String
        let hint: String
    }

    /// Something that came up while the variables were filled in.
    enum Finding {
        case unset(name: String, offset: Int)
        case required(name: String, message: String, offset: Int)
        case tooLong
    }

    let parts: [Part]

    init(_ text: String) throws(Fault) {
        var parser = VariableTemplateParser(text)
        parts = try parser.parts(depth: 0)
    }

    /// The variables, those inside of defaults too.
    var uses: [VariableUse] { Self.uses(parts) }

    private static func uses(_ parts: [Part]) -> [VariableUse] {
        parts.flatMap { part -> [VariableUse] in
            guard case .variable(let variable) = part else { return [] }
            var use = VariableUse(name: variable.name)
            guard let rule = variable.rule else { return [use] }
            let word = source(of: rule.word)
            switch rule.kind {
            case .default: use.defaultValue = word
            case .required: use.isRequired = true
            case .replacement: use.alternateValue = word
            }
            return [use] + uses(rule.word)
        }
    }

    /// The text that the parts were read from.
    private static func source(of parts: [Part]) -> String {
        parts.map { part in
            switch part {
            case .text(let text):
                return text.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
            case .variable(let variable):
                guard let rule = variable.rule else { return "${\(variable.name)}" }
                let sign =
                    switch rule.kind {
                    case .default: "-"
                    case .required: "?"
                    case .replacement: "+"
                    }
                return "${\(variable.name)\(rule.whenEmpty ? ":" : "")\(sign)\(source(of: rule.word))}"
            }
        }.joined()
    }

    /// The text with its variables filled in. An unset variable is empty and a finding.
    func filled(
        limit: Int = 1 << 20,
        lookup: (String) -> String?,
        report: (Finding) -> Void
    ) -> String {
        var count = 0
        let text = Self.fill(parts, limit: limit, lookup) { finding in
            count += 1
            if count <= Self.mostFindings { report(finding) }
        }
        guard text.utf8.count <= limit else {
            report(.tooLong)
            return ""
        }
        return text
    }

    /// Of one text; who gets that many has a file of another kind.
    private static let mostFindings = 20

    private static func fill(
        _ parts: [Part],
        limit: Int,
        _ lookup: (String) -> String?,
        _ report: (Finding) -> Void
    ) -> String {
        var output = ""
        for part in parts where output.utf8.count <= limit {
            switch part {
            case .text(let text): output += text
            case .variable(let variable): output += value(variable, limit: limit, lookup, report)
            }
        }
        return output
    }

    private static func value(
        _ variable: Variable,
        limit: Int,
        _ lookup: (String) -> String?,
        _ report: (Finding) -> Void
    ) -> String {
        let value = lookup(variable.name)
        guard let rule = variable.rule else {
            if value == nil { report(.unset(name: variable.name, offset: variable.offset)) }
            return value ?? ""
        }
        let isSet = value.map { !rule.whenEmpty || !$0.isEmpty } ?? false
        switch rule.kind {
        case .default: return isSet ? value ?? "" : fill(rule.word, limit: limit, lookup, report)
        case .replacement: return isSet ? fill(rule.word, limit: limit, lookup, report) : ""
        case .required:
            if isSet { return value ?? "" }
            let message = fill(rule.word, limit: limit, lookup, report)
            report(.required(name: variable.name, message: message, offset: variable.offset))
            return ""
        }
    }
}

/// Takes the text of a template apart.
private struct VariableTemplateParser {
    private typealias Fault = VariableTemplate.Fault
    private let scalars: [Unicode.Scalar]
    private var index = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    /// Parts up to the end, or up to the `}` that ends the enclosing variable.
    mutating func parts(depth: Int) throws(VariableTemplate.Fault) -> [VariableTemplate.Part] {
        var parts: [VariableTemplate.Part] = []
        var text = String.UnicodeScalarView()
        func flush() {
            if !text.isEmpty { parts.append(.text(String(text))) }
            text = .init()
        }
        while let scalar = peek(), depth == 0 || scalar != "}" {
            index += 1
            if scalar != "$" {
                text.append(scalar)
            } else if peek() == "$" {
                index += 1
                text.append("$")
            } else {
                flush()
                parts.append(.variable(try variable(from: index - 1, depth: depth)))
            }
        }
        flush()
        return parts
    }

    private mutating func variable(from start: Int, depth: Int) throws(VariableTemplate.Fault)
        -> VariableTemplate.Variable
    {
        let isBraced = peek() == "{"
        if isBraced { index += 1 }
        let name = takeName()
        guard !name.isEmpty else {
            throw Fault(
                offset: start,
                message: isBraced ? "a variable's name is missing after \"${\"" : "a lone $ stands here",
                hint: "write $$ for a dollar sign; a name has letters, digits and _ and begins with no digit"
            )
        }
        guard isBraced else { return .init(name: name, offset: start, rule: nil) }
        guard depth < 16 else {
            throw Fault(
                offset: start,
                message: "variables are nested too deep",
                hint: "use fewer defaults of defaults"
            )
        }
        let rule = try rule(name, start, depth: depth)
        guard peek() == "}" else {
            throw Fault(
                offset: start,
                message: "\"${\(name)\" is not closed",
                hint: "put a } at the end of the variable"
            )
        }
        index += 1
        return .init(name: name, offset: start, rule: rule)
    }

    private mutating func rule(_ name: String, _ start: Int, depth: Int) throws(VariableTemplate.Fault)
        -> VariableTemplate.Rule?
    {
        guard let first = peek(), first != "}" else { return nil }
        let whenEmpty = first == ":"
        if whenEmpty { index += 1 }
        let kind: VariableTemplate.Rule.Kind
        switch peek() {
        case "-": kind = .default
        case "?": kind = .required
        case "+": kind = .replacement
        default:
            throw Fault(
                offset: start,
                message: "\"\(peek().map(String.init) ?? String(first))\" can't follow \"${\(name)\"",
                hint:
                    "possible are ${V}, ${V:-default}, ${V-default}, ${V:?error}, ${V?error}, ${V:+other}, ${V+other}"
            )
        }
        index += 1
        return .init(kind: kind, whenEmpty: whenEmpty, word: try parts(depth: depth + 1))
    }

    private func peek() -> Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private mutating func takeName() -> String {
        var name = String.UnicodeScalarView()
        while let scalar = peek() {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": break
            case "0"..."9" where !name.isEmpty: break
            default: return String(name)
            }
            name.append(scalar)
            index += 1
        }
        return String(name)
    }
}
