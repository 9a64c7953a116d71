import EscaleCore

/// Permissions as `--chmod` gives them: octal, or symbolic as chmod(1) has them.
struct FileMode: Hashable, Sendable, CustomStringConvertible {
    private enum Rule: Hashable, Sendable {
        case exact(UInt32)
        case change([Change])
    }

    /// One `u+rwX`.
    private struct Change: Hashable, Sendable {
        /// The bits of `u`, `g` and `o` that it is about.
        let who: UInt32
        let operation: Character
        let letters: String
    }

    let description: String
    private let rule: Rule

    /// - Throws: `build.mode`.
    init(_ text: String) throws(EscaleError) {
        description = text
        if let bits = UInt32(text, radix: 8), bits <= 0o7777 {
            rule = .exact(bits)
            return
        }
        var changes: [Change] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let who = part.prefix { "ugoa".contains($0) }
            var rest = part[who.endIndex...]
            guard !rest.isEmpty else { throw Self.invalid(text) }
            while let operation = rest.popFirst() {
                let letters = rest.prefix { "rwxXstugo".contains($0) }
                rest = rest[letters.endIndex...]
                guard "+-=".contains(operation) else { throw Self.invalid(text) }
                let mask =
                    who.isEmpty || who.contains("a")
                    ? 0o777 : who.reduce(UInt32(0)) { $0 | ($1 == "u" ? 0o700 : $1 == "g" ? 0o070 : 0o007) }
                changes.append(Change(who: mask, operation: operation, letters: String(letters)))
            }
        }
        guard !changes.isEmpty else { throw Self.invalid(text) }
        rule = .change(changes)
    }

    private static func invalid(_ text: String) -> EscaleError {
        EscaleError(
            .init("build.mode"),
            "\"\(text)\" is not a mode",
            hint: "write it in octal, like --chmod=755, or like u=rwX,go=rX"
        )
    }

    /// What a file with these permissions has then.
    func applied(to permissions: UInt32, isDirectory: Bool) -> UInt32 {
        switch rule {
        case .exact(let bits): return bits
        case .change(let changes):
            return changes.reduce(permissions) { mode, change in
                var bits: UInt32 = 0
                for letter in change.letters {
                    switch letter {
                    case "u": bits |= (permissions >> 6 & 7) * 0o111
                    case "g": bits |= (permissions >> 3 & 7) * 0o111
                    case "o": bits |= (permissions & 7) * 0o111
                    case "r": bits |= 0o444
                    case "w": bits |= 0o222
                    case "x": bits |= 0o111
                    case "X": if isDirectory || mode & 0o111 != 0 { bits |= 0o111 }
                    case "s":
                        bits |=
                            (change.who & 0o700 != 0 ? 0o4000 : 0) | (change.who & 0o070 != 0 ? 0o2000 : 0)
                    default: bits |= 0o1000
                    }
                }
                let chosen = bits & change.who | bits & 0o7000
                switch change.operation {
                case "+": return mode | chosen
                case "-": return mode & ~chosen
                default: return mode & ~change.who | chosen
                }
            }
        }
    }
}
