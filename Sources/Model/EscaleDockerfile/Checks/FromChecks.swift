import EscaleCore

/// The variables and platforms of `FROM`.
extension CheckRun {
    /// The variables that every `FROM` knows, and every stage that declares them.
    static let platformArguments: Set<String> = [
        "BUILDPLATFORM", "BUILDOS", "BUILDOSVERSION", "BUILDARCH", "BUILDVARIANT", "TARGETPLATFORM",
        "TARGETOS",
        "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT", "TARGETSTAGE",
    ]

    /// What the `ARG`s before the first `FROM` are, those without a value left out.
    ///
    /// - Parameter given: the build's arguments.
    func globalArguments(given: [String: String]) -> [String: String] {
        var values: [String: String] = [:]
        for argument in dockerfile.arguments {
            if let value = given[argument.name] {
                values[argument.name] = value
            } else if let value = argument.value {
                // A broken word is told where it is expanded.
                values[argument.name] = try? expandWord(value, escape: escape) { values[$0] }
            }
        }
        return values
    }

    mutating func checkFroms() {
        let defaults = globalArguments(given: [:])
        for stage in dockerfile.stages {
            let isDeclared = checkArguments(of: stage)
            if isDeclared { checkDefaults(of: stage, defaults) }
            checkPlatform(of: stage)
        }
    }

    /// Whether all variables are declared.
    private mutating func checkArguments(of stage: BuildStage) -> Bool {
        let declared = Set(dockerfile.arguments.map(\.name)).union(Self.platformArguments)
        let names = [stage.platform ?? "", stage.base].flatMap { variableReferences(in: $0, escape: escape) }
            .filter { !$0.mayBeUnset && !declared.contains($0.name) }.map(\.name)
        for name in Set(names).sorted() {
            report(
                .undefinedArgInFrom,
                "no ARG before the first FROM declares \(name)",
                stage.position,
                hint: similar(to: name, in: declared).map { "did you mean \($0)?" }
            )
        }
        return names.isEmpty
    }

    private mutating func checkDefaults(of stage: BuildStage, _ defaults: [String: String]) {
        guard !variables(in: stage.base, escape: escape).isEmpty else { return }
        // A value that would do for any of the platform's variables.
        let result = try? expandWord(stage.base, escape: escape) { name in
            defaults[name] ?? (Self.platformArguments.contains(name) ? "linux" : nil)
        }
        guard let result, !isImageReference(result) else { return }
        report(
            .invalidDefaultArgInFrom,
            "without build arguments \(stage.base) is "
                + (result.isEmpty ? "empty" : "\"\(result)\", which can't be an image"),
            stage.position
        )
    }

    private mutating func checkPlatform(of stage: BuildStage) {
        guard let platform = stage.platform else { return }
        if platform == "$TARGETPLATFORM" || platform == "${TARGETPLATFORM}" {
            report(.redundantTargetPlatform, "--platform=\(platform) is so anyway", stage.position)
        }
        guard variables(in: platform, escape: escape).isEmpty else { return }
        // A stage that is there for one platform says so in its name.
        let parts = platform.lowercased().split(separator: "/").prefix(2)
        if let name = stage.name, parts.contains(where: { name.contains($0) }) { return }
        report(.fromPlatformFlagConstDisallowed, "--platform=\(platform) is fixed", stage.position)
    }
}

/// Whether the text can be an image's name, with or without a registry, a tag and a digest.
func isImageReference(_ text: String) -> Bool {
    var rest = text[...]
    if let at = rest.firstIndex(of: "@") {
        let digest = rest[rest.index(after: at)...].split(separator: ":", omittingEmptySubsequences: false)
        guard digest.count == 2, !digest[0].isEmpty, digest[1].count >= 32, digest[1].allSatisfy(\.isHexDigit)
        else {
            return false
        }
        rest = rest[..<at]
    }
    var parts = rest.split(separator: "/", omittingEmptySubsequences: false)
    if let last = parts.last, let colon = last.firstIndex(of: ":") {
        let tag = last[last.index(after: colon)...]
        guard let first = tag.first, isTagCharacter(first), first != ".", first != "-", tag.count <= 128,
            tag.allSatisfy(isTagCharacter)
        else { return false }
        parts[parts.count - 1] = last[..<colon]
    }
    if parts.count > 1, parts[0].contains(".") || parts[0].contains(":") || parts[0] == "localhost" {
        let host = parts.removeFirst()
        guard !host.isEmpty, host.allSatisfy({ isTagCharacter($0) || $0 == ":" }) else { return false }
    }
    return parts.allSatisfy { part in
        guard let first = part.first, let last = part.last else { return false }
        let isPlain = { (character: Character) in
            character.isASCII && (character.isNumber || (character.isLetter && character.isLowercase))
        }
        return isPlain(first) && isPlain(last) && part.allSatisfy { isPlain($0) || "._-".contains($0) }
    }
}

private func isTagCharacter(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character))
}
