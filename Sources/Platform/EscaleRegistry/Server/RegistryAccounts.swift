import EscaleCore
import EscaleCrypto
import EscaleHTTP
import EscaleSystem
import FoundationEssentials
import Glibc
import Synchronization

/// The users of an `htpasswd` file, read anew when it changes. Hashes are those of crypt(5); bcrypt is what `htpasswd -B`
/// makes.
final class RegistryAccounts: Sendable {
    private struct State {
        var modified: Int64 = .min
        var hashes: [String: PasswordHash] = [:]
        /// Digests of what was right: a password's hash takes long on purpose, and a push asks a hundred times.
        var right: Set<Digest> = []
    }

    private let file: String
    private let state = Mutex(State())

    /// - Throws: `registry.htpasswd` for a file without users, or with one whose hash is of an unknown kind.
    init(file: String) throws(EscaleError) {
        self.file = file
        let hashes = try Self.read(file)
        guard !hashes.isEmpty else {
            throw EscaleError(
                .init("registry.htpasswd"),
                "\(file) has no users",
                hint: "add one: `htpasswd -B \(file) NAME`"
            )
        }
        for (user, hash) in hashes.sorted(by: { $0.key < $1.key }) where hash.verify("") == .unknownKind {
            throw EscaleError(
                .init("registry.htpasswd"),
                "the password of \(user) in \(file) has a hash that is not known here",
                hint: "set it again with bcrypt: `htpasswd -B \(file) \(user)`"
            )
        }
    }

    private static func read(_ file: String) throws(EscaleError) -> [String: PasswordHash] {
        var hashes: [String: PasswordHash] = [:]
        for line in try Files.readText(file).split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else { continue }
            hashes[String(parts[0])] = PasswordHash(String(parts[1]))
        }
        return hashes
    }

    /// Whether the request's `Authorization` names a user with the right password. Blocks for a tenth of a second.
    func admits(_ request: HTTPRequest) -> Bool {
        guard let header = request.headers["Authorization"], header.lowercased().hasPrefix("basic "),
            let bytes = Data(base64Encoded: String(header.dropFirst(6)))
        else { return false }
        let parts = String(decoding: bytes, as: UTF8.self)
            .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return false }
        refresh()
        guard let hash = state.withLock({ $0.hashes[String(parts[0])] }) else { return false }
        let key = SHA256.digest(ofText: "\(hash.text)\n\(parts[0])\n\(parts[1])")
        if state.withLock({ $0.right.contains(key) }) { return true }
        guard hash.verify(String(parts[1])) == .right else { return false }
        state.withLock { _ = $0.right.insert(key) }
        return true
    }

    private func refresh() {
        var info = stat()
        guard stat(file, &info) == 0 else { return }
        let modified = Int64(info.st_mtim.tv_sec) * 1_000_000_000 + Int64(info.st_mtim.tv_nsec)
        guard state.withLock({ $0.modified != modified }) else { return }
        // One that can't be read just now, since it is being written, changes nothing.
        guard let hashes = try? Self.read(file) else { return }
        state.withLock { $0 = State(modified: modified, hashes: hashes) }
    }
}
