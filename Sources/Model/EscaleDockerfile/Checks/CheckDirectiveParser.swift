/// What is wrong with a `# check=` or with the build argument that takes its place.
struct CheckDirectiveProblem {
    let message: String
    let place: Substring.Index
    let hint: String?
    /// Else it may be ignored.
    let isError: Bool
}

extension CheckDirective {
    /// Reads `skip=A,B;error=true`.
    static func parse(_ text: Substring) -> (directive: CheckDirective, problems: [CheckDirectiveProblem]) {
        var parser = CheckDirectiveParser()
        for part in text.split(separator: ";").map(\.trimmed) where !part.isEmpty { parser.parse(part) }
        return (parser.directive, parser.problems)
    }
}

private struct CheckDirectiveParser {
    var directive = CheckDirective()
    private(set) var problems: [CheckDirectiveProblem] = []

    private static let names = ["skip", "error", "experimental"]

    /// One `name=value`.
    mutating func parse(_ part: Substring) {
        let name = part.prefix { $0 != "=" }
        let value = part.dropFirst(name.count + 1).trimmed
        guard Self.names.contains(String(name.trimmed)) else {
            let near = nearest(String(name.trimmed), to: Self.names)
            return report(
                "check knows skip=… and error=…, not \"\(name.trimmed)\"",
                part,
                hint: near.map { "did you mean \($0)=?" } ?? "write it like skip=StageNameCasing;error=true"
            )
        }
        guard !value.isEmpty else {
            return report("check's \(name.trimmed) needs a value", part, hint: "write \(name.trimmed)=…")
        }
        switch name.trimmed {
        case "skip": skip(value)
        case "experimental":
            directive.experimental.formUnion(value.split(separator: ",").map { String($0.trimmed) })
        default:
            guard let isError = Bool(goText: value) else {
                return report(
                    "check's error is true or false, not \"\(value)\"",
                    part,
                    hint: "write error=true"
                )
            }
            directive.failsBuild = isError
        }
    }

    private mutating func report(_ message: String, _ place: Substring, hint: String?, isError: Bool = true) {
        problems.append(
            CheckDirectiveProblem(message: message, place: place.startIndex, hint: hint, isError: isError)
        )
    }

    private mutating func skip(_ names: Substring) {
        for name in names.split(separator: ",").map(\.trimmed) {
            if name == "all" {
                directive.skipsAll = true
                continue
            }
            directive.skipped.insert(String(name))
            guard BuildCheck(rawValue: String(name)) == nil else { continue }
            let near = nearest(String(name), to: BuildCheck.allCases.map(\.rawValue))
            report(
                "there is no check \"\(name)\" to skip",
                name,
                hint: near.map { "did you mean \($0)?" },
                isError: false
            )
        }
    }
}
