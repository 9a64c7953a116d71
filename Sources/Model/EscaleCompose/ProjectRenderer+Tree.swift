package import EscaleYAML

/// Trees that are printed as the files have them, and parts of projects.
extension ProjectRenderer {
    /// The merged files' tree.
    ///
    /// - Parameter escaping: whether `$` is doubled, as it has to be in text whose variables are filled in already.
    package static func tree(_ node: YAMLNode, escaping: Bool) -> YAMLValue {
        let value = YAMLValue(node)
        return escaping ? escaped(value) : value
    }

    private static func escaped(_ value: YAMLValue) -> YAMLValue {
        switch value {
        case .string(let string): text(string)
        case .list(let items): .list(items.map(escaped))
        case .map(let members): .map(members.map { .init($0.key, escaped($0.value)) })
        case .null, .bool, .int, .double: value
        }
    }

    /// A service without what says only how it is built, how many there are and when they start.
    package static func containerSettings(_ service: Service) -> YAMLValue {
        let others: Set = ["build", "depends_on", "deploy", "profiles", "pull_policy", "scale", "x-escale"]
        guard case .map(let members) = self.service(service) else { return .map([]) }
        return .map(members.filter { !others.contains($0.key) })
    }
}
