import EscaleCompose

/// `docs/reference/kubernetes.md`, from the table that `escale kube` goes by. A test compares the checked-in page with it.
package enum MappingPage {
    package static func markdown() -> String {
        let attributes = ComposeAttribute.table.filter { $0.name != "x-escale" && $0.scope.rawValue != "" || Treatment.ofItself($0.path) != nil }
        let rows = attributes.sorted { $0.path < $1.path }
        let counts = ["mapped", "approximated", "lost", "local"].map { word in
            "\(rows.count { Treatment.of($0.path)?.word == word }) \(word)"
        }
        var text = """
            # A compose file in Kubernetes

            <!-- Written by the tests from the mapping's own table: UPDATE_GOLDEN=1 swift test --filter MappingPage -->

            What `escale kube` makes of each attribute. Values that are a case of their own (a user by name, a directory that is too
            large) are named with their position when the file is mapped; `--strict` makes an error of everything that is lost.

            | | meaning |
            |---|---|
            | mapped | means the same there |
            | approximated | becomes something similar; what differs is said |
            | lost | has no counterpart |
            | local | concerns files, builds or work on this machine: there is nothing to lose |

            Of \(rows.count) attributes: \(counts.joined(separator: ", ")).


            """
        var group = ""
        for attribute in rows {
            let title = attribute.path.split(separator: ".").first.map(String.init) ?? ""
            if title != group {
                group = title
                text += "\(text.hasSuffix("\n\n") ? "" : "\n")## `\(title)`\n\n| attribute | | what it becomes |\n|---|---|---|\n"
            }
            text += row(attribute)
        }
        return text
    }

    private static func row(_ attribute: ComposeAttribute) -> String {
        guard let treatment = Treatment.of(attribute.path) else { return "" }
        let words =
            switch treatment {
            case .mapped(let to): Treatment.ofItself(attribute.path) == nil ? "with what it is part of" : to
            case .approximated(let to, let difference): Treatment.ofItself(attribute.path) == nil ? "with what it is part of" : "\(to); \(difference)"
            case .lost(let why): why
            case .local(let place): place
            }
        return "| `\(attribute.path)` | \(treatment.word) | \(words.replacing("|", with: "\\|")) |\n"
    }
}
