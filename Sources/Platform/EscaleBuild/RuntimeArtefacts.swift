import EscaleArchive
import EscaleCore
import EscaleImages
import EscaleSystem
import Glibc

/// Removes from a step's upper directory what only the container's set-up left there: mount points for the resolver's
/// files, and what appeared in `/dev`, `/proc` and `/sys`. Blocks.
///
/// - Parameters:
///   - parent: the tree below; what it has is no artefact.
///   - mounts: where more was mounted, absolute.
func removeRuntimeArtefacts(from upper: String, below parent: MergedTree, mounts: [String] = []) throws {
    for target in mounts { try removeMountPoint(cleanTarget(target), from: upper, below: parent) }
    for name in ["etc/resolv.conf", "etc/hosts", "etc/hostname"] {
        guard let status = try FileStatus("\(upper)/\(name)"), status.kind == .file, status.size == 0,
            try parent.find("/\(name)", followLast: false) == nil
        else { continue }
        try Files.remove("\(upper)/\(name)")
    }
    for directory in ["dev", "proc", "sys"] {
        for name in try Files.list("\(upper)/\(directory)") {
            guard try parent.find("/\(directory)/\(name)", followLast: false) == nil else { continue }
            try Files.remove("\(upper)/\(directory)/\(name)")
        }
    }
    for name in ["etc", "dev", "proc", "sys"] { try removeIfUnchanged(name, upper, parent) }
}

private func cleanTarget(_ path: String) -> [Substring] { path.split(separator: "/").filter { $0 != "." && $0 != ".." } }

/// What was made for a mount to lie on: an empty file or directory, and the empty directories that lead to it.
private func removeMountPoint(_ path: [Substring], from upper: String, below parent: MergedTree) throws {
    var names = path
    while !names.isEmpty {
        let name = names.joined(separator: "/")
        guard try parent.find("/\(name)", followLast: false) == nil, let status = try FileStatus("\(upper)/\(name)") else { break }
        let isEmpty = status.kind == .file ? status.size == 0 : try status.kind == .directory && Files.list("\(upper)/\(name)").isEmpty
        guard isEmpty else { return }
        try Files.remove("\(upper)/\(name)")
        names.removeLast()
    }
    // Those above were copied up to hold it, if nothing else is in them.
    while !names.isEmpty {
        try removeIfUnchanged(names.joined(separator: "/"), upper, parent)
        names.removeLast()
    }
}

/// A directory that was only copied up, or made, to hold one of those mount points.
private func removeIfUnchanged(_ name: String, _ upper: String, _ parent: MergedTree) throws {
    guard let own = try FileStatus("\(upper)/\(name)"), own.kind == .directory,
        try Files.list("\(upper)/\(name)").isEmpty
    else { return }
    if let below = try parent.find("/\(name)", followLast: false)?.status {
        guard below.kind == .directory, below.permissions == own.permissions, below.owner == own.owner,
            below.group == own.group,
            try Directory(upper).attribute(ExtendedAttribute.opaque.name, of: Array(name.utf8)) == nil
        else { return }
    }
    try Files.remove("\(upper)/\(name)")
}
