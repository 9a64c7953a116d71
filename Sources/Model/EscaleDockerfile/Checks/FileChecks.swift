import EscaleCore

/// Files that the build context doesn't have.
extension CheckRun {
    mutating func checkIgnored(_ copy: CopyInstruction, _ position: SourcePosition, _ scope: StageScope) {
        guard copy.from == nil else { return }
        for source in copy.sources {
            guard case .path(let word) = source, !isRemote(word),
                let path = scope.expanded(word, escape: escape),
                !isRemote(path)
            else { continue }
            let clean = cleanPath(path)
            // What an exception may bring back is not for sure left out.
            guard !clean.isEmpty, ignore.ignores(clean), !ignore.mayTakeBack(clean) else { continue }
            report(
                .copyIgnoredFile,
                "\(copy.isAdd ? "ADD" : "COPY") takes \(path), which .dockerignore leaves out",
                position
            )
        }
    }
}

extension Dockerignore {
    /// Whether an exception may be for something that the path, a pattern or a directory, stands for.
    fileprivate func mayTakeBack(_ path: String) -> Bool {
        guard hasExceptions, !isPathPattern(path) else { return hasExceptions }
        let names = path.split(separator: "/").map(String.init)
        return exceptions.contains { exception in
            let patterns = exception.split(separator: "/").map(String.init)
            if patterns.contains("**") { return true }
            return patterns.count > names.count
                && zip(names, patterns).allSatisfy { pathMatches($0, pattern: $1) }
        }
    }
}
