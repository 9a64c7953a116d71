/// Images as tables show them.
enum ImageText {
    /// The name and the tag, `latest` where there is none. A registry's port is no tag.
    static func split(_ name: String) -> (repository: String, tag: String) {
        let plain = name.split(separator: "@", maxSplits: 1).first.map(String.init) ?? name
        let start = plain.lastIndex(of: "/").map { plain.index(after: $0) } ?? plain.startIndex
        guard let colon = plain[start...].lastIndex(of: ":") else { return (plain, "latest") }
        return (String(plain[..<colon]), String(plain[plain.index(after: colon)...]))
    }

    /// The first twelve digits of `sha256:…`.
    static func short(_ id: String) -> String {
        String((id.hasPrefix("sha256:") ? id.dropFirst(7) : Substring(id)).prefix(12))
    }
}
