import EscaleCore
import EscaleOCI
import EscaleSystem
import FoundationEssentials
import Glibc

/// Which OCI runtime has a container, and where its control group is, where that isn't as usual. Kept in the bundle, so that
/// whoever comes later, with nothing but the container's id, asks the right one.
struct Placement: Codable, Hashable, Sendable {
    /// Absolute.
    var runtime: String?
    /// Below the hierarchies' roots: `/batch`.
    var cgroupParent: String?
}

/// The control groups that are there only because a container asked for them as its parent. Each has a mark in the machine's
/// memory, and goes with the last container in it.
struct BorrowedGroups: Sendable {
    /// Where the marks are.
    let directory: String
    let layout: HostFacts.CgroupLayout

    private func mark(_ path: String) -> String {
        "\(directory)/" + path.split(separator: "/").map { $0.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%25") }
            .joined(separator: "%2F")
    }

    /// Notes which of the group and those above it the container brings. Blocks.
    func prepare(_ path: String) throws(EscaleError) {
        for group in Self.withAncestors(path) where !Cgroup(path: group, layout: layout).exists {
            try Files.createDirectories(directory, mode: 0o700)
            try Files.write(mark(group), [])
        }
    }

    /// Removes those that are empty now. Blocks.
    func tidy(_ path: String) {
        for group in Self.withAncestors(path).reversed() where Files.exists(mark(group)) {
            let cgroup = Cgroup(path: group, layout: layout)
            cgroup.removeIfEmpty()
            if cgroup.exists { return }
            unlink(mark(group))
        }
    }

    /// `/a`, then `/a/b`.
    private static func withAncestors(_ path: String) -> [String] {
        let names = path.split(separator: "/")
        return names.indices.map { "/" + names[...$0].joined(separator: "/") }
    }
}

extension Bundle {
    private var placementFile: String { "\(directory)/placement.json" }

    /// Keeps it, unless it is as usual. Blocks.
    func write(_ placement: Placement) throws(EscaleError) {
        if placement != Placement() { try write(placement, to: placementFile) }
    }

    /// Blocks, for a small file in the machine's memory.
    var placement: Placement {
        guard let bytes = try? Files.read(placementFile) else { return Placement() }
        return (try? JSONDecoder().decode(Placement.self, from: Data(bytes))) ?? Placement()
    }
}
