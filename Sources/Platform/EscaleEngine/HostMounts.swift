package import EscaleCore
import EscaleSystem
import Glibc

/// What is mounted on the host.
package enum HostMounts {
    /// Whether the mount that the path lies on exchanges mounts with others, so that a container can take part. Blocks.
    package static func isShared(_ path: String) -> Bool {
        guard let text = try? Files.readText("/proc/self/mountinfo"), let resolved = realpath(path, nil) else { return false }
        defer { free(resolved) }
        let place = String(cString: resolved)
        var longest = (point: "", isShared: false)
        for line in text.split(separator: "\n") {
            // Number, parent, device, root, mount point, options, optional fields, "-", …
            let fields = line.split(separator: " ")
            guard fields.count > 6 else { continue }
            let point = unescaped(fields[4])
            guard place == point || point == "/" || place.hasPrefix(point + "/"), point.utf8.count >= longest.point.utf8.count
            else { continue }
            let optional = fields[6...].prefix { $0 != "-" }
            longest = (point, optional.contains { $0.hasPrefix("shared:") || $0.hasPrefix("master:") })
        }
        return longest.isShared
    }

    /// `\040` is a space.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8) {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a mount can be made read-only with all that is mounted below it: Linux 5.12 and later.
    package static let canForbidWritingBelow: Bool = {
        var name = utsname()
        guard uname(&name) == 0 else { return false }
        let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) >= (5, 12)
    }()

    /// Words of mount(8) with the server's name as an address, which is what the kernel takes. Blocks.
    package static func resolved(_ words: [String]) throws(EscaleError) -> [String] {
        var resolved: [String] = []
        for word in words {
            guard word.hasPrefix("addr=") else {
                resolved.append(word)
                continue
            }
            let name = String(word.dropFirst(5))
            var found: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(name, nil, nil, &found) == 0, let first = found else {
                throw .settingRefused("driver_opts", "there is no host \(name)", hint: "write its address: addr=10.0.0.2")
            }
            defer { freeaddrinfo(found) }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let length = first.pointee.ai_addrlen
            guard getnameinfo(first.pointee.ai_addr, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
                throw .settingRefused("driver_opts", "\(name) has no address", hint: "write its address: addr=10.0.0.2")
            }
            resolved.append("addr=" + String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        return resolved
    }
}
