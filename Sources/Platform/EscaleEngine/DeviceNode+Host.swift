import EscaleCore
import EscaleOCI
import EscaleSystem
import Glibc

extension DeviceNode {
    /// The device at a path, or all devices below it where it is a directory. Links are followed where they are named, and
    /// not looked for. Blocks.
    static func nodes(at path: String, for attribute: String) throws(EscaleError) -> [DeviceNode] {
        var info = stat()
        guard stat(path, &info) == 0 else {
            throw .settingRefused(attribute, "there is no \(path) on this host", hint: "name a device that `ls /dev` shows")
        }
        if info.st_mode & S_IFMT == S_IFDIR { return try below(path) }
        guard let node = DeviceNode(path, info) else {
            throw .settingRefused(attribute, "\(path) is no device", hint: "mount files and directories under `volumes`")
        }
        return [node]
    }

    /// What every container has of its own, or what belongs to the host's terminals.
    private static let left: Set<String> = ["/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue", "/dev/console"]

    private static func below(_ directory: String) throws(EscaleError) -> [DeviceNode] {
        var nodes: [DeviceNode] = []
        for name in try Files.list(directory) {
            let path = "\(directory)/\(name)"
            var info = stat()
            // One that is gone again is none.
            guard !left.contains(path), lstat(path, &info) == 0 else { continue }
            if info.st_mode & S_IFMT == S_IFDIR {
                nodes += try below(path)
            } else if let node = DeviceNode(path, info) {
                nodes.append(node)
            }
        }
        return nodes
    }

    private init?(_ path: String, _ info: stat) {
        let kind: Kind
        switch info.st_mode & S_IFMT {
        case S_IFCHR: kind = .character
        case S_IFBLK: kind = .block
        default: return nil
        }
        // As major(3) and minor(3), which are macros.
        let device = UInt64(info.st_rdev)
        self.init(
            path: path, kind: kind, major: Int((device >> 8) & 0xfff | (device >> 32) & ~0xfff),
            minor: Int(device & 0xff | (device >> 12) & 0xffff_ff00), mode: UInt32(info.st_mode & 0o7777),
            user: info.st_uid, group: info.st_gid)
    }
}

extension ContainerSpec {
    /// The host's devices that it names, by the paths that it names. Blocks.
    func deviceNodes() throws(EscaleError) -> [String: [DeviceNode]] {
        var nodes: [String: [DeviceNode]] = [:]
        for device in devices ?? [] { nodes[device.source] = try DeviceNode.nodes(at: device.source, for: "devices") }
        for path in limits?.blockDevices?.paths ?? [] {
            nodes[path] = try DeviceNode.nodes(at: path, for: "blkio_config")
        }
        if confinement?.isPrivileged == true { nodes["/dev"] = try DeviceNode.nodes(at: "/dev", for: "privileged") }
        return nodes
    }
}
