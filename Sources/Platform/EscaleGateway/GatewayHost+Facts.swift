import EscaleCore
import EscaleSystem
import Glibc

extension GatewayHost {
    /// This host and this user. Blocks.
    ///
    /// As root, workers become the user that HAProxy's package made: they read what strangers send. The master stays
    /// root, to bind low ports at a reload; sockets and certificates are opened before, and stay root's alone.
    init(directory: String) throws(EscaleError) {
        let isRoot = getuid() == 0
        let hasUser = isRoot && (try? Files.readText("/etc/passwd"))?.contains("\nhaproxy:") == true
        let interfaces = try? Files.read("/proc/net/if_inet6")
        self.init(
            directory: directory, user: hasUser ? "haproxy" : nil, fileLimit: Self.fileLimit(),
            hasIPv6: interfaces?.isEmpty == false, cookieKey: try Self.cookieKey("\(directory)/cookie.key"))
    }

    /// No more than is allowed, and no more than a table of files is worth.
    private static func fileLimit() -> Int {
        let limits = (try? Files.readText("/proc/self/limits")) ?? ""  // without /proc nothing works anyway
        guard let line = limits.split(separator: "\n").first(where: { $0.hasPrefix("Max open files") }) else { return 4096 }
        let words = line.split(separator: " ")
        return min(words.count > 4 ? Int(words[4]) ?? 262_144 : 4096, 262_144)
    }

    private static func cookieKey(_ path: String) throws(EscaleError) -> String {
        if let key = try? Files.readText(path), key.utf8.count == 32 { return key }
        let key = (0..<2).map { _ in hexadecimal(UInt64.random(in: 0 ... .max)) }.joined()
        try Files.replace(path, key.utf8, mode: 0o600)
        return key
    }
}
