import EscaleAPI
import EscaleCore

/// What `escale release diff` prints: under each service its attributes, old and new.
enum DifferenceText {
    static func text(_ difference: ReleaseDifference, style: Style) -> String {
        guard !difference.lines.isEmpty else {
            return "releases \(difference.from) and \(difference.to) do not differ\n"
        }
        var text = "release \(difference.from) → \(difference.to)\n"
        var service: ServiceName?
        for line in difference.lines.sorted(by: { ($0.service, $0.attribute) < ($1.service, $1.attribute) }) {
            if line.service != service { text += style.bold(line.service.rawValue) + "\n" }
            service = line.service
            let old = line.old.map { style.red(inOneLine($0)) } ?? "(none)"
            let new = line.new.map { style.green(inOneLine($0)) } ?? "(none)"
            text += "  \(DisplayWidth.plain(line.attribute)): \(old) → \(new)\n"
        }
        return text
    }

    private static func inOneLine(_ value: String) -> String {
        DisplayWidth.plain(value.replacing("\n", with: "\\n"))
    }
}
