import EscaleCore
import EscaleYAML

/// `ulimits`, of services and of builds.
extension ServiceReader {
    func ulimits(_ field: Field, _ scope: ComposeAttribute.Scope) -> [String: Ulimit]? {
        let example = "write nofile: 1024, or nofile: {soft: 1024, hard: 4096}"
        var limits: [String: Ulimit] = [:]
        for member in field.members(hint: example) ?? [] {
            guard Self.ulimitNames.contains(member.key) else {
                context.error(
                    "compose.ulimit",
                    "\(field.path): there is no limit \"\(member.key)\"",
                    at: member.position,
                    hint: Suggestion.nearest(to: member.key, among: Self.ulimitNames).map {
                        "did you mean \($0)?"
                    }
                        ?? "possible are \(Field.listed(Self.ulimitNames.sorted()))"
                )
                continue
            }
            limits[member.key] = ulimit(member.value, scope, example: example)
        }
        return limits.filled
    }

    private func ulimit(_ field: Field, _ scope: ComposeAttribute.Scope, example: String) -> Ulimit? {
        let range = 0...Int(Int64.max)
        guard field.isMapping else { return field.bound(in: range).map { Ulimit(soft: $0, hard: $0) } }
        guard let section = field.section(scope, hint: example) else { return nil }
        for key in ["soft", "hard"] where section[key] == nil && !section.misspells(key) {
            field.error("compose.missing", "\(field.path) has no `\(key)`", hint: example)
        }
        guard let soft = section["soft"]?.bound(in: range), let hard = section["hard"]?.bound(in: range)
        else {
            return nil
        }
        guard soft.isWithin(hard) else {
            section["soft"]?.error(
                "compose.ulimit",
                "\(field.path): the soft limit is above the hard one",
                hint: "a process may go up to the hard limit; raise that, or lower the soft one"
            )
            return nil
        }
        return Ulimit(soft: soft, hard: hard)
    }

    private static let ulimitNames: Set<String> = [
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
        "rtprio",
        "rttime", "sigpending", "stack",
    ]
}
