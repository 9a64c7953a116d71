import CArchive
package import EscaleCore
import EscaleSystem
import Glibc

extension Directory {
    /// The calls know paths only; this one leads through the open directory and so can't be redirected.
    private func path(_ name: PathBytes) -> PathBytes {
        Array("/proc/self/fd/\(descriptor.number)/".utf8) + name
    }

    /// All attributes of what has the name, sorted; none where the file system has none.
    package func attributes(of name: PathBytes) throws(EscaleError) -> [ExtendedAttribute] {
        let path = path(name)
        let size = withCPath(path) { llistxattr($0, nil, 0) }
        if size <= 0 {
            if size == 0 || errno == ENOTSUP { return [] }
            throw Errno.current.during("list the attributes of \(String(decoding: name, as: UTF8.self))")
        }
        var names = [UInt8](repeating: 0, count: size)
        let used = try check("list the attributes of \(String(decoding: name, as: UTF8.self))") {
            withCPath(path) { path in
                names.withUnsafeMutableBytes {
                    llistxattr(path, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
                }
            }
        }
        var found: [ExtendedAttribute] = []
        for bytes in names.prefix(used).split(separator: 0) {
            let attribute = String(decoding: bytes, as: UTF8.self)
            if let value = try value(of: attribute, at: path) {
                found.append(ExtendedAttribute(attribute, value))
            }
        }
        return found.sorted { $0.name < $1.name }
    }

    /// `nil` where it hasn't got that attribute.
    package func attribute(_ attribute: String, of name: PathBytes) throws(EscaleError) -> [UInt8]? {
        try value(of: attribute, at: path(name))
    }

    private func value(of attribute: String, at path: PathBytes) throws(EscaleError) -> [UInt8]? {
        let size = withCPath(path) { lgetxattr($0, attribute, nil, 0) }
        if size < 0 {
            if errno == ENODATA || errno == ENOTSUP { return nil }
            throw Errno.current.during("read the attribute \(attribute)")
        }
        var value = [UInt8](repeating: 0, count: size)
        let used = try check("read the attribute \(attribute)") {
            withCPath(path) { path in
                value.withUnsafeMutableBytes { lgetxattr(path, attribute, $0.baseAddress, $0.count) }
            }
        }
        return Array(value.prefix(used))
    }

    package func set(_ attribute: ExtendedAttribute, on name: PathBytes) throws(EscaleError) {
        try check("set the attribute \(attribute.name)") {
            withCPath(path(name)) { path in
                attribute.value.withUnsafeBytes {
                    lsetxattr(path, attribute.name, $0.baseAddress, $0.count, 0)
                }
            }
        }
    }

    /// Takes the attribute away; one that isn't there is no error.
    package func removeAttribute(_ attribute: String, of name: PathBytes) throws(EscaleError) {
        if withCPath(path(name), { lremovexattr($0, attribute) }) != 0 && errno != ENODATA {
            throw Errno.current.during("remove the attribute \(attribute)")
        }
    }
}

/// Makes everything written to the file system that holds the path durable.
package func syncFileSystem(of path: String) throws(EscaleError) {
    let directory = try FileDescriptor(path, O_RDONLY | O_DIRECTORY)
    try check("sync \(path)") { c_archive_sync_file_system(directory.number) }
}
