/// A path or name as the kernel has it: bytes without a zero, in no particular encoding.
package typealias PathBytes = [UInt8]

/// One node of a file tree with everything that a layer keeps of it.
package struct TreeEntry: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case file(size: Int64)
        case directory
        case symbolicLink(target: PathBytes)
        /// Another name of an earlier entry, by that one's path.
        case hardLink(target: PathBytes)
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
        case fifo
        /// Never archived: it means nothing without its process.
        case socket
    }

    /// Relative to the tree's root, with neither a leading nor a trailing slash; empty for the root itself.
    package var path: PathBytes
    package var kind: Kind
    /// The lower twelve bits: permissions, set-user-ID, set-group-ID, sticky.
    package var permissions: UInt32
    package var owner: UInt32
    package var group: UInt32
    package var modified: FileTime
    /// Sorted by name.
    package var attributes: [ExtendedAttribute]

    package init(
        path: PathBytes,
        kind: Kind,
        permissions: UInt32,
        owner: UInt32 = 0,
        group: UInt32 = 0,
        modified: FileTime = FileTime(seconds: 0),
        attributes: [ExtendedAttribute] = []
    ) {
        self.path = path
        self.kind = kind
        self.permissions = permissions
        self.owner = owner
        self.group = group
        self.modified = modified
        self.attributes = attributes
    }

    /// For messages; what is no UTF-8 is replaced.
    package var pathText: String { String(decoding: path, as: UTF8.self) }
    package var isDirectory: Bool { kind == .directory }
}

/// A file's time stamp.
package struct FileTime: Hashable, Sendable, Comparable {
    package var seconds: Int64
    package var nanoseconds: Int64

    package init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

/// A named value on a file, such as `security.capability`.
package struct ExtendedAttribute: Hashable, Sendable {
    package let name: String
    package let value: [UInt8]

    package init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.value = value
    }

    /// Whether it belongs to the file's content: not what overlayfs or a security module keeps for itself.
    package var isPortable: Bool {
        !name.hasPrefix("trusted.overlay.") && !name.hasPrefix("user.overlay.") && name != "security.selinux"
    }

    /// What overlayfs marks a directory with that hides the ones below it.
    package static let opaque = ExtendedAttribute("trusted.overlay.opaque", [UInt8(ascii: "y")])
}

extension PathBytes {
    /// The path below this one; the root's path is empty.
    package func appending(_ name: some Collection<UInt8>) -> PathBytes {
        isEmpty ? PathBytes(name) : self + [UInt8(ascii: "/")] + name
    }

    /// The names in it, without empty ones and `.`.
    package var components: [ArraySlice<UInt8>] {
        split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual([UInt8(ascii: ".")]) }
    }
}
