import EscaleArchive
import EscaleCore
import EscaleImages
import EscaleSystem
import Glibc

/// Removes from a step's upper directory what only the container's set-up left there: mount points for the resolver's
/// files, and what appeared in `/dev`, `/proc` and `/sys`. Blocks.
///
/// - Parameter parent: the tree below; what it has is no artefact.
func removeRuntimeArtefacts(from upper: String, below parent: MergedTree) throws {
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
