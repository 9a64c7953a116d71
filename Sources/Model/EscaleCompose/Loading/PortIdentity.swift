import EscaleYAML

/// What makes a published port the same as another: its address, host port, container port and protocol.
///
/// Goes by the text alone: whether the parts are valid is for the reader to say.
struct PortIdentity {
    private let address: String
    private let published: String
    private let target: String
    private let transport: String

    init(_ item: YAMLNode) {
        if let long = item.mapping {
            func text(_ key: String) -> String? { long[key]?.scalar?.text }
            address = Self.address(text("host_ip") ?? "")
            published = text("published") ?? ""
            target = text("target") ?? ""
            transport = text("protocol") ?? "tcp"
            return
        }
        let text = item.scalar?.text ?? ""
        let cut = text.lastIndex(of: "/") ?? text.endIndex
        transport = cut == text.endIndex ? "tcp" : String(text[text.index(after: cut)...])
        var parts = ShortForm.parts(String(text[..<cut]))
        target = parts.removeLast()
        published = parts.popLast() ?? ""
        address = Self.address(parts.joined(separator: ":"))
    }

    private static func address(_ text: String) -> String {
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        return bare.isEmpty ? "0.0.0.0" : bare
    }

    /// One for each container port.
    var keys: [String] {
        guard !target.isEmpty else { return [] }
        return pairs.map { "\(address)|\($0.published)|\($0.target)/\(transport)" }
    }

    /// The short forms of the range's ports whose key is not among those.
    func remainder(without taken: Set<String>) -> [String] {
        pairs.compactMap { pair in
            let key = "\(address)|\(pair.published)|\(pair.target)/\(transport)"
            guard !taken.contains(key) else { return nil }
            let host = address == "0.0.0.0" ? "" : (address.contains(":") ? "[\(address)]:" : "\(address):")
            let published = pair.published.isEmpty && host.isEmpty ? "" : "\(pair.published):"
            return "\(host)\(published)\(pair.target)/\(transport)"
        }
    }

    private var pairs: [(published: String, target: String)] {
        guard let targets = Self.range(target) else { return [(published, target)] }
        guard let ports = Self.range(published), ports.count == targets.count else {
            return published.isEmpty ? targets.map { ("", String($0)) } : [(published, target)]
        }
        return zip(ports, targets).map { (String($0), String($1)) }
    }

    private static func range(_ text: String) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last, last - first < 1000
        else {
            return nil
        }
        return first...last
    }
}
