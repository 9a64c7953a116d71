import EscaleCore
import EscaleSystem

/// Kernel settings of the calling thread's network namespace.
enum Sysctl {
    /// Writes the setting unless it has the value already.
    ///
    /// - Parameter optional: whether a kernel that doesn't have the setting is fine.
    static func set(_ key: String, _ value: Int, optional: Bool = false) throws(EscaleError) {
        let path = "/proc/sys/\(key)"
        if optional && !Files.exists(path) { return }
        if let now = try? Files.readText(path), now == "\(value)\n" { return }  // a failed read shows in the write
        try Files.write(path, "\(value)\n".utf8)
    }
}
