import EscaleCore

extension DockerfileParser {
    private static let copyFlags = ["--from", "--chown", "--chmod", "--link", "--parents", "--exclude"]
    private static let addFlags = [
        "--chown", "--chmod", "--link", "--exclude", "--checksum", "--keep-git-dir", "--unpack",
    ]

    /// `COPY` and `ADD`.
    mutating func copy(_ name: String, _ text: InstructionText) -> Instruction.Kind? {
        let isAdd = name == "ADD"
        let flags = checkedFlags(
            text,
            of: name,
            known: isAdd ? Self.addFlags : Self.copyFlags,
            repeatable: ["--exclude"]
        )
        warnAboutBrokenJSON(text.rest)
        let isJSON = text.json != nil
        var words = text.json ?? text.words.map(String.init)
        guard let destination = words.popLast(), !words.isEmpty else {
            report(
                "dockerfile.syntax",
                "\(name) needs at least a source and a destination",
                hint: "write \(name) source destination"
            )
            return nil
        }
        var heredocs = text.heredocs[...]
        let sources: [CopyInstruction.Source] = words.map { word in
            guard !isJSON, let next = heredocs.first, next.word == word else { return .path(word) }
            heredocs.removeFirst()
            return .inline(next)
        }
        guard heredocs.isEmpty else {
            report(
                "dockerfile.syntax",
                "\(name) can't have a heredoc as its destination",
                at: text.words.last?.startIndex
            )
            return nil
        }
        var copy = CopyInstruction(isAdd: isAdd, sources: sources, destination: destination)
        for flag in flags { set(flag, of: name, in: &copy) }
        return .copy(copy)
    }

    private mutating func set(_ flag: Flag, of name: String, in copy: inout CopyInstruction) {
        switch flag.name {
        case "--link": copy.isLink = boolean(of: flag, of: name) ?? copy.isLink
        case "--parents": copy.keepsParents = boolean(of: flag, of: name) ?? copy.keepsParents
        case "--keep-git-dir": copy.keepsGitDirectory = boolean(of: flag, of: name) ?? copy.keepsGitDirectory
        case "--unpack": copy.unpacks = boolean(of: flag, of: name) ?? copy.unpacks
        case "--from": copy.from = value(of: flag, of: name)
        case "--chown": copy.owner = value(of: flag, of: name)
        case "--exclude": copy.excludes += value(of: flag, of: name).map { [$0] } ?? []
        case "--chmod": setMode(flag, of: name, in: &copy)
        default: setChecksum(flag, of: name, in: &copy)
        }
    }

    private mutating func setMode(_ flag: Flag, of name: String, in copy: inout CopyInstruction) {
        guard let mode = value(of: flag, of: name) else { return }
        guard mode.contains("$") || isFileMode(mode) else {
            return report(
                "dockerfile.flag",
                "\(name) --chmod can't be \"\(mode)\"",
                at: flag.place(ofValue: 0),
                hint: "write it in octal, such as 0755, or in symbols, such as u=rwX,go=rX"
            )
        }
        copy.mode = mode
    }

    private mutating func setChecksum(_ flag: Flag, of name: String, in copy: inout CopyInstruction) {
        guard let checksum = value(of: flag, of: name) else { return }
        guard checksum.contains("$") || isChecksum(checksum) else {
            return report(
                "dockerfile.flag",
                "\(name) --checksum can't be \"\(checksum)\"",
                at: flag.place(ofValue: 0),
                hint: "write sha256: and 64 hexadecimal digits, or a commit's full hash for a Git repository"
            )
        }
        copy.checksum = checksum
        guard copy.sources.count == 1, case .path(let source) = copy.sources[0],
            source.contains("$") || isRemote(source)
        else {
            return report(
                "dockerfile.flag",
                "\(name) --checksum goes with exactly one source, a URL or a Git repository",
                at: flag.start
            )
        }
    }

    mutating func warnAboutBrokenJSON(_ text: Substring) {
        guard text.hasPrefix("[\"") || text.hasPrefix("['"), parseStringArray(text) == nil else { return }
        warn(
            "dockerfile.json",
            "this looks like the JSON form but is not JSON, so it is taken as it is",
            hint: "JSON strings have double quotes and no comma after the last one"
        )
    }
}

/// Octal, or clauses such as `u=rwX` and `go-w`.
func isFileMode(_ text: String) -> Bool {
    if isOctal(text) { return text.count <= 4 || (text.count == 5 && text.first == "0") }
    return text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { clause in
        var rest = clause.drop { "ugoa".contains($0) }
        guard !rest.isEmpty else { return false }
        while let sign = rest.popFirst() {
            guard "+-=".contains(sign) else { return false }
            rest = rest.drop { "rwxXstugo".contains($0) }
        }
        return true
    }
}

func isOctal(_ text: String) -> Bool { !text.isEmpty && text.allSatisfy { ("0"..."7").contains($0) } }

/// `sha256:…` and its kin, or a commit's hash.
private func isChecksum(_ text: String) -> Bool {
    let lengths = ["sha256": 64, "sha384": 96, "sha512": 128]
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard let digits = parts.last, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return false }
    return parts.count == 1
        ? [40, 64].contains(digits.count) : parts.count == 2 && lengths[String(parts[0])] == digits.count
}

/// Whether a source of `ADD` is fetched from elsewhere.
func isRemote(_ source: String) -> Bool {
    ["http://", "https://", "git://", "ssh://", "git@"].contains { source.hasPrefix($0) }
}
