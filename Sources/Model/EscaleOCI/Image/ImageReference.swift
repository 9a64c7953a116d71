package import EscaleCore

/// An image's name, normalised as Docker does: `nginx` is `docker.io/library/nginx:latest`.
///
/// Equal references mean the same image however they were written. Without a tag and a digest the tag is `latest`.
package struct ImageReference: Hashable, Codable, Sendable, Comparable, CustomStringConvertible {
    /// The registry: a host name or address, with its port if one was given.
    package let host: String
    /// The path on that registry, such as `library/nginx`.
    package let repository: String
    /// `nil` only where there is a digest.
    package let tag: String?
    package let digest: Digest?

    package static let defaultHost = "docker.io"
    private static let officialPrefix = "library/"

    /// - Throws: `image.reference` for what is no image name, saying why.
    package init(_ text: String) throws(EscaleError) {
        var rest = Substring(text)
        if let at = rest.firstIndex(of: "@") {
            guard let digest = Digest(String(rest[rest.index(after: at)...])) else {
                throw .invalidReference(text, "what follows the '@' is not sha256: and 64 hexadecimal digits")
            }
            self.digest = digest
            rest = rest[..<at]
        } else {
            digest = nil
        }
        let lastSlash = rest.lastIndex(of: "/") ?? rest.startIndex
        if let colon = rest[lastSlash...].lastIndex(of: ":") {
            let tag = rest[rest.index(after: colon)...]
            guard Self.isTag(tag) else {
                throw .invalidReference(
                    text,
                    "the tag \"\(tag)\" has other characters than letters, digits, '_', '.' and '-'"
                )
            }
            self.tag = String(tag)
            rest = rest[..<colon]
        } else {
            tag = digest == nil ? "latest" : nil
        }
        guard !rest.isEmpty else { throw .invalidReference(text, "it is empty") }
        var host = Substring(Self.defaultHost)
        if let slash = rest.firstIndex(of: "/"), Self.looksLikeHost(rest[..<slash]) {
            host = rest[..<slash]
            rest = rest[rest.index(after: slash)...]
        }
        if host == "index.docker.io" { host = Substring(Self.defaultHost) }
        guard host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || ".-:[]".contains($0)) }) else {
            throw .invalidReference(text, "\"\(host)\" is not a registry's host name")
        }
        if rest.contains(where: \.isUppercase) {
            throw .invalidReference(text, "the name must be in lower case")
        }
        guard rest.utf8.count <= 255, host.utf8.count <= 255 else {
            throw .invalidReference("\(text.prefix(40))…", "it is longer than 255 characters")
        }
        guard rest.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(Self.isPathComponent)
        else {
            throw .invalidReference(
                text,
                "its parts may have lower-case letters and digits, joined by '.', '_', '__' or '-'"
            )
        }
        let isShort = host == Self.defaultHost && !rest.contains("/")
        self.host = String(host)
        repository = isShort ? Self.officialPrefix + rest : String(rest)
    }

    /// The whole of it: `docker.io/library/debian:bookworm-slim`.
    package var canonical: String { "\(host)/\(repository)\(suffix)" }

    /// As people write it: `debian:bookworm-slim`, `shop/web@sha256:…`.
    package var familiar: String { familiarName + suffix }

    /// The familiar form without tag and digest.
    package var familiarName: String {
        guard host == Self.defaultHost else { return "\(host)/\(repository)" }
        guard repository.hasPrefix(Self.officialPrefix) else { return repository }
        return String(repository.dropFirst(Self.officialPrefix.count))
    }

    package var description: String { familiar }

    private var suffix: String { (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "") }

    package static func < (left: Self, right: Self) -> Bool { left.familiar < right.familiar }

    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(canonical)
    }

    /// Docker's rule: what has a dot or a colon in it, or is `localhost`, or is not in lower case, is a host.
    private static func looksLikeHost(_ part: Substring) -> Bool {
        part.contains(".") || part.contains(":") || part == "localhost" || part.contains(where: \.isUppercase)
    }

    private static func isTag(_ tag: Substring) -> Bool {
        guard let first = tag.utf8.first, tag.utf8.count <= 128 else { return false }
        return first != UInt8(ascii: ".") && first != UInt8(ascii: "-")
            && tag.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }
    }

    /// `[a-z0-9]+` joined by one dot, one or two underscores, or dashes.
    private static func isPathComponent(_ part: Substring) -> Bool {
        let isWord = { (character: Character) in
            character.isASCII && (character.isLowercase || character.isNumber)
        }
        guard let first = part.first, let last = part.last, isWord(first), isWord(last) else { return false }
        return part.split(whereSeparator: isWord).allSatisfy { separator in
            separator == "." || separator == "_" || separator == "__" || separator.allSatisfy { $0 == "-" }
        }
    }
}

extension EscaleError {
    fileprivate static func invalidReference(_ text: String, _ reason: String) -> Self {
        Self(
            Code("image.reference"),
            "\"\(text.count > 300 ? text.prefix(300) + "…" : text)\" is not an image name: \(reason)",
            hint: "write it like nginx, shop/web:1.2 or registry.example.org:5000/shop/web:1.2"
        )
    }
}
