/// A path pattern of `COPY` or of one line of `.dockerignore`, by Go's rules: `*`, `?`, `[a-z]`, `\` for the next
/// character, and, for ignore files, `**` for any number of directories.
struct PathPattern: Hashable, Sendable {
    enum Part: Hashable, Sendable {
        case character(UInt8)
        /// `?`
        case one
        /// `*`
        case many
        /// `**`, with the slash after it
        case directories
        /// `[…]`
        case oneOf([ClosedRange<UInt8>], negated: Bool)
    }

    let parts: [Part]

    /// `nil` for a pattern with an unclosed bracket or nothing after its last `\`.
    init?(_ text: String, crossesDirectories: Bool) {
        var parts: [Part] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "?"): parts.append(.one)
            case UInt8(ascii: "*"):
                guard crossesDirectories, rest.first == UInt8(ascii: "*") else {
                    parts.append(.many)
                    continue
                }
                while rest.first == UInt8(ascii: "*") { rest.removeFirst() }
                if rest.first == UInt8(ascii: "/") { rest.removeFirst() }
                parts.append(.directories)
            case UInt8(ascii: "["):
                guard let set = Self.set(&rest) else { return nil }
                parts.append(set)
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { return nil }
                parts.append(.character(next))
            default: parts.append(.character(byte))
            }
        }
        self.parts = parts
    }

    private static func set(_ rest: inout ArraySlice<UInt8>) -> Part? {
        let negated = rest.first == UInt8(ascii: "^")
        if negated { rest.removeFirst() }
        var ranges: [ClosedRange<UInt8>] = []
        func next() -> UInt8? {
            guard let byte = rest.popFirst() else { return nil }
            return byte == UInt8(ascii: "\\") ? rest.popFirst() : byte
        }
        while let first = rest.first, first != UInt8(ascii: "]") || ranges.isEmpty {
            guard let low = next() else { return nil }
            var high = low
            if rest.first == UInt8(ascii: "-") {
                rest.removeFirst()
                guard let end = next() else { return nil }
                high = end
            }
            guard low <= high else { return nil }
            ranges.append(low...high)
        }
        return rest.popFirst() == nil ? nil : .oneOf(ranges, negated: negated)
    }

    func matches(_ path: String) -> Bool { Self.match(parts[...], Array(path.utf8)[...]) }

    private static func match(_ pattern: ArraySlice<Part>, _ path: ArraySlice<UInt8>) -> Bool {
        let slash = UInt8(ascii: "/")
        guard let part = pattern.first else { return path.isEmpty }
        let rest = pattern.dropFirst()
        switch part {
        case .character(let byte): return path.first == byte && match(rest, path.dropFirst())
        case .one: return path.first.map { $0 != slash } == true && match(rest, path.dropFirst())
        case .oneOf(let ranges, let negated):
            guard let byte = path.first, byte != slash else { return false }
            return ranges.contains { $0.contains(byte) } != negated && match(rest, path.dropFirst())
        case .many:
            var left = path
            while true {
                if match(rest, left) { return true }
                guard let byte = left.first, byte != slash else { return false }
                left = left.dropFirst()
            }
        case .directories:
            // At the end anything below; else what follows must begin a name.
            if rest.isEmpty { return true }
            var left = path
            while true {
                if match(rest, left) { return true }
                guard let next = left.firstIndex(of: slash) else { return false }
                left = left[(next + 1)...]
            }
        }
    }
}

/// Whether the text has any character that makes it a pattern.
package func isPathPattern(_ text: String) -> Bool { text.contains { "*?[\\".contains($0) } }

/// Whether the whole path matches a `COPY` source's pattern. A broken pattern matches only itself.
package func pathMatches(_ path: String, pattern: String) -> Bool {
    PathPattern(pattern, crossesDirectories: false)?.matches(path) ?? (path == pattern)
}
