import EscaleYAML

/// Makes the relative paths of a tree absolute, each against the directory that belongs to its file. For printing
/// and comparing trees: what reads a tree resolves its paths itself.
struct PathResolution {
    let context: LoadContext

    /// The whole file.
    func resolved(_ root: YAMLNode) -> YAMLNode {
        root.replacingValues { section in
            section.value.replacingValues { resolved($0.value, in: section.key) }
        }
    }

    /// One member of a section at the top level, such as a service.
    func resolved(_ node: YAMLNode, in section: String) -> YAMLNode {
        switch section {
        case "services": service(node)
        case "configs", "secrets": node.replacing("file", path)
        case "volumes": volume(node)
        default: node
        }
    }

    private func service(_ node: YAMLNode) -> YAMLNode {
        node.replacing("build", build)
            .replacing("env_file") { files in
                items(files) { $0.mapping == nil ? path($0) : $0.replacing("path", path) }
            }
            .replacing("label_file") { items($0, path) }
            .replacing("volumes") { items($0, mount) }
            .replacing("credential_spec") { $0.replacing("file", path) }
            .replacing("develop") { develop in
                develop.replacing("watch") { rules in items(rules) { $0.replacing("path", path) } }
            }
    }

    private func build(_ node: YAMLNode) -> YAMLNode {
        guard node.mapping != nil else { return contextPath(node) }
        return node.replacing("context", contextPath).replacing("additional_contexts") { contexts in
            guard let list = contexts.sequence else {
                return contexts.replacingValues { contextPath($0.value) }
            }
            return YAMLNode(
                .sequence(
                    list.map { item in
                        changing(item) { text in
                            guard let cut = text.firstIndex(of: "=") else { return text }
                            let value = String(text[text.index(after: cut)...])
                            return text[...cut] + (Self.isLocal(value) ? absolute(value, item) : value)
                        }
                    }
                ),
                at: contexts.position,
                tag: contexts.tag
            )
        }
    }

    /// A volume of the local driver that is a bind mount.
    private func volume(_ node: YAMLNode) -> YAMLNode {
        node.replacing("driver_opts") { options in
            let isBind = options.mapping?["o"]?.scalar?.text.split(separator: ",").contains("bind") ?? false
            return isBind ? options.replacing("device", path) : options
        }
    }

    private func mount(_ node: YAMLNode) -> YAMLNode {
        if let mapping = node.mapping {
            return mapping["type"]?.scalar?.text == "bind" ? node.replacing("source", path) : node
        }
        return changing(node) { text in
            let parts = ShortForm.parts(text)
            guard parts.count > 1, let first = parts[0].first, ".~".contains(first) else { return text }
            return ([absolute(parts[0], node)] + parts.dropFirst()).joined(separator: ":")
        }
    }

    private func contextPath(_ node: YAMLNode) -> YAMLNode {
        Self.isLocal(node.scalar?.text ?? "") ? path(node) : node
    }

    private static func isLocal(_ text: String) -> Bool {
        !RemoteReference.matches(text) && !text.hasPrefix("service:")
    }

    private func path(_ node: YAMLNode) -> YAMLNode { changing(node) { absolute($0, node) } }

    /// What begins with a variable that wasn't filled in may be absolute, and stays.
    private func absolute(_ text: String, _ node: YAMLNode) -> String {
        guard !text.isEmpty, !text.hasPrefix("$") else { return text }
        return context.absolute(text, in: context.scope(of: node.position).directory) ?? text
    }

    private func changing(_ node: YAMLNode, _ change: (String) -> String) -> YAMLNode {
        guard let scalar = node.scalar, !node.isNull else { return node }
        return YAMLNode(
            .scalar(YAMLScalar(change(scalar.text), style: scalar.style)),
            at: node.position,
            tag: node.tag
        )
    }

    private func items(_ node: YAMLNode, _ change: (YAMLNode) -> YAMLNode) -> YAMLNode {
        guard let list = node.sequence else { return change(node) }
        return YAMLNode(.sequence(list.map(change)), at: node.position, tag: node.tag)
    }
}
