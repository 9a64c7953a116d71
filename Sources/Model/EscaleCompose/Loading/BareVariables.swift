import EscaleYAML

/// Gives `environment` entries without a value the one that they have in an included project, whose variables its
/// own environment files set. Those of the project's own files are looked up when a service is read.
enum BareVariables {
    static func filled(_ root: YAMLNode, from variables: [String: String]) -> YAMLNode {
        root.replacing("services") { services in
            services.replacingValues { service in
                service.value.replacing("environment") { environment($0, variables) }
            }
        }
    }

    private static func environment(_ node: YAMLNode, _ variables: [String: String]) -> YAMLNode {
        guard let items = node.sequence else {
            return node.replacingValues { pair in
                guard pair.value.isNull, let value = variables[pair.key] else { return pair.value }
                return text(value, like: pair.value)
            }
        }
        let filled = items.map { item in
            guard let key = item.scalar?.text, let value = variables[key] else { return item }
            return text("\(key)=\(value)", like: item)
        }
        return YAMLNode(.sequence(filled), at: node.position, tag: node.tag)
    }

    private static func text(_ text: String, like node: YAMLNode) -> YAMLNode {
        YAMLNode(.scalar(YAMLScalar(text, style: .doubleQuoted)), at: node.position)
    }
}
