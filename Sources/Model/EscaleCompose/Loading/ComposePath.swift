/// Paths as text: joining and cleaning without a look at the disk.
package enum ComposePath {
    /// The path made absolute against a directory, without `.`, `..`, doubled and trailing slashes.
    package static func absolute(_ path: String, in directory: String) -> String {
        clean(path.hasPrefix("/") ? path : directory + "/" + path)
    }

    /// An absolute path in its shortest form. `..` is resolved by text alone, symbolic links or not.
    static func clean(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    static func directory(of path: String) -> String {
        clean(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    }

    /// The last part of a path; empty for `/`.
    package static func baseName(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? "" }

    /// The path as people read it: relative where it lies below the directory, else absolute.
    static func display(_ path: String, from directory: String) -> String {
        let prefix = directory == "/" ? "/" : directory + "/"
        return path.hasPrefix(prefix) && path.count > prefix.count
            ? String(path.dropFirst(prefix.count)) : path
    }
}
