import EscaleSystem

/// Where the tests find programs and images.
enum Programs {
    /// The directory of escale and escaled: `ESCALE_BIN`, else the test bundle's.
    static let directory: String = {
        if let named = environment["ESCALE_BIN"], !named.isEmpty { return named }
        let arguments = CommandLine.arguments
        let bundle = arguments.firstIndex(of: "--test-bundle-path").map { arguments[$0 + 1] }
        return parent(bundle ?? Files.linkTarget("/proc/self/exe") ?? "")
    }()

    /// The root file system tar that `scripts/busybox-image.sh` makes.
    static func busyboxImage() throws -> String { try image("busybox.tar") }
    static func debianImage() throws -> String { try image("debian-bookworm-slim.tar") }

    private static func image(_ name: String) throws -> String {
        let package = parent(parent(parent(parent(#filePath))))
        let path = "\(package)/.build/images/\(name)"
        guard Files.exists(path) else { throw Unexpected("\(path) is missing: run scripts/busybox-image.sh") }
        return path
    }

    static func find(_ name: String) throws -> String {
        let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        guard let path = places.map({ "\($0)/\(name)" }).first(where: Files.exists) else {
            throw Unexpected("the program \(name) is not installed")
        }
        return path
    }

    private static let environment: [String: String] = {
        let entries = ((try? Files.read("/proc/self/environ")) ?? []).split(separator: 0)
        return Dictionary(
            entries.compactMap { entry in
                let text = String(decoding: entry, as: UTF8.self)
                return text.firstIndex(of: "=").map {
                    (String(text[..<$0]), String(text[text.index(after: $0)...]))
                }
            },
            uniquingKeysWith: { first, _ in first }
        )
    }()
}

/// The path without its last part.
func parent(_ path: String) -> String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "." }
