import EscaleYAML

/// What makes an item of a list the same as one of the list that it is merged with.
enum ItemIdentity {
    /// The text.
    case text
    /// The file that it names.
    case path
    /// Address, host port, container port and protocol.
    case port
    /// The path in the container.
    case mount, device, tmpfs
    /// The path in the container, the source's name below the directory where it says none.
    case file(below: String)

    /// The item's identities: several for a range of ports, none for what can't be told.
    func keys(of item: YAMLNode, in context: LoadContext) -> [String] {
        switch self {
        case .text: item.scalar.map { [$0.text] } ?? []
        case .path:
            (item.scalar ?? item.mapping?["path"]?.scalar).map {
                [ComposePath.absolute($0.text, in: context.scope(of: item.position).directory)]
            } ?? []
        case .port: PortIdentity(item).keys
        case .mount:
            target(item) { parts in parts.count == 1 ? parts[0] : parts[1] }
        case .device:
            target(item) { parts in parts.count == 1 ? parts[0] : parts[1] }
        case .tmpfs: target(item) { $0[0] }
        case .file(let directory):
            ((item.scalar ?? item.mapping?["target"]?.scalar ?? item.mapping?["source"]?.scalar)?.text)
                .map { [ComposePath.absolute($0, in: directory)] } ?? []
        }
    }

    private func target(_ item: YAMLNode, of short: ([String]) -> String) -> [String] {
        let text =
            item.mapping?["target"]?.scalar?.text ?? item.scalar.map { short(ShortForm.parts($0.text)) }
        return text.map { [ComposePath.clean($0)] } ?? []
    }
}

/// The parts of a short form such as `[::1]:80:80` or `${DATA:-./data}:/data`.
enum ShortForm {
    /// The text cut at the colons outside of brackets and braces; at least one part.
    static func parts(_ text: String) -> [String] {
        var parts = [""]
        var depth = 0
        for character in text {
            switch character {
            case "[", "{": depth += 1
            case "]", "}": depth -= 1
            default: break
            }
            if character == ":", depth <= 0 {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        return parts
    }
}
