import EscaleCore
import EscaleCrypto
import EscaleDockerfile
import EscaleSystem
import Glibc
import Synchronization

/// The directories of `RUN --mount=type=cache`: kept from build to build, and never part of an image.
package final class CacheMounts: Sendable {
    private let directory: String
    /// How many use each, and whether alone.
    private let users = Mutex<[String: Int]>([:])

    init(directory: String) { self.directory = directory }

    /// One that a step may use until it is released.
    struct Use: Sendable {
        let path: String
        fileprivate let name: String
    }

    /// Takes a cache, waiting for it where it is `locked` and in use; `private` gives another one then.
    ///
    /// - Parameters:
    ///   - mode: of a directory that is made now, with its owner.
    func take(_ id: String, _ sharing: RunMount.Sharing, mode: UInt32, uid: UInt32, gid: UInt32) async throws
        -> Use
    {
        let name = SHA256.digest(ofText: id).short
        var number = 0
        while true {
            try Task.checkCancellation()
            let candidate = number == 0 ? name : "\(name)-\(number)"
            let isTaken = users.withLock { users in
                guard sharing == .shared || users[candidate, default: 0] == 0 else { return false }
                users[candidate, default: 0] += 1
                return true
            }
            if isTaken {
                let use = Use(path: "\(directory)/\(candidate)", name: candidate)
                do {
                    try await make(use.path, mode, uid, gid)
                } catch {
                    release(use)
                    throw error
                }
                return use
            }
            if sharing == .private { number += 1 } else { try await Task.sleep(for: .milliseconds(50)) }
        }
    }

    private func make(_ path: String, _ mode: UInt32, _ uid: UInt32, _ gid: UInt32) async throws {
        try await blocking {
            if Files.isDirectory(path) { return }
            try Files.createDirectories(path)
            try check("make a cache directory") { chmod(path, mode) }
            try check("make a cache directory") { chown(path, uid, gid) }
        }
    }

    func release(_ use: Use) {
        users.withLock { users in
            let left = users[use.name, default: 1] - 1
            users[use.name] = left == 0 ? nil : left
        }
    }
}
