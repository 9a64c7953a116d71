import EscaleCore
import EscaleOCI
import EscaleSystem
import Glibc

extension Bundle {
    /// The specification with its prepared mounts as bind mounts, and what has to be mounted for them where only the container is.
    ///
    /// - Parameter layers: the directory of the image store's unpacked layers.
    func preparing(_ spec: ContainerSpec, layers: String) throws(EscaleError) -> (spec: ContainerSpec, mounts: [PrivateMount]) {
        var spec = spec
        var made: [PrivateMount] = []
        for index in spec.mounts.indices {
            guard case .prepared(let mount) = spec.mounts[index].kind else { continue }
            let place = place(of: index)
            var source = place
            if case .flat(let path) = mount.source, !Files.isDirectory(path) {
                try Files.createDirectories("\(directory)/mounts", mode: 0o700)
                try Files.write(place, [])
            } else {
                try Files.createDirectories(place, mode: 0o700)
            }
            switch mount.source {
            case .flat(let path):
                made.append(PrivateMount(source: path, target: place, type: "none", flags: PrivateMount.bind))
            case .directory(let path): source = path
            case .shared(let path):
                var shared = PrivateMount(source: path, target: place, type: "none")
                shared.isShared = true
                made.append(shared)
            case .ofProcess(let pid, let path):
                var other = PrivateMount(source: path, target: place, type: "none")
                other.owner = pid
                made.append(other)
            case .layers(let names):
                made.append(
                    names.count == 1
                        ? PrivateMount(source: "\(layers)/\(names[0])", target: place, type: "none", flags: PrivateMount.bind)
                        : PrivateMount(
                            source: "overlay", target: place, type: "overlay", flags: PrivateMount.readOnly,
                            data: "lowerdir=\(names.joined(separator: ":"))"))
            case .fileSystem(let system):
                let (flags, data) = system.arguments
                made.append(PrivateMount(source: system.device, target: place, type: system.type, flags: flags, data: data))
            }
            if let subpath = mount.subpath {
                var part = PrivateMount(source: subpath, target: "\(place)-part", type: "none")
                part.root = source
                made.append(part)
                source = part.target
                spec.mounts[index].isReadOnlyBelow = nil
            }
            spec.mounts[index].kind = .bind(source: source)
        }
        // The runtime can do that to directories only.
        for index in spec.mounts.indices {
            guard case .bind(let source) = spec.mounts[index].kind, !Files.isDirectory(source) else { continue }
            spec.mounts[index].isReadOnlyBelow = nil
        }
        return (spec, made)
    }

    private func place(of index: Int) -> String {
        "\(directory)/mounts/\(String(repeating: "0", count: max(0, 4 - "\(index)".count)))\(index)"
    }

    /// An error of mounting, said of the mount that it is about; any other as it is.
    func explained(_ error: EscaleError, _ spec: ContainerSpec) -> EscaleError {
        for index in spec.mounts.indices {
            guard case .prepared(let mount) = spec.mounts[index].kind, error.message.contains(place(of: index)) else { continue }
            let target = spec.mounts[index].target
            if error.message.contains("\(place(of: index))-part"), let subpath = mount.subpath {
                return .settingRefused(
                    "volumes", "\(mount.title) has no \(subpath) to mount at \(target)",
                    hint: "make the directory first, or mount all of it")
            }
            let reason = error.message.split(separator: ":").last.map(String.init) ?? ""
            return .settingRefused(
                "volumes", "\(mount.title) can't be mounted at \(target):\(reason)",
                hint: "check the type, the device and the options; `dmesg` may say more")
        }
        return error
    }
}

extension PreparedMount.FileSystem {
    /// What mount(2) takes the words as: flags, and the rest for the file system.
    fileprivate var arguments: (flags: UInt, data: String?) {
        // See mount(2); ones that are usual need no flag.
        let known: [String: UInt] = [
            "ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "sync": 16, "dirsync": 128, "noatime": 1024, "nodiratime": 2048,
            "bind": 4096, "rbind": 4096 | 16384, "relatime": 1 << 21, "strictatime": 1 << 24,
        ]
        let usual: Set<String> = ["", "defaults", "rw", "suid", "dev", "exec", "async", "atime", "diratime", "auto", "noauto", "_netdev"]
        var flags: UInt = 0
        var data: [String] = []
        for word in options where !usual.contains(word) {
            if let flag = known[word] { flags |= flag } else { data.append(word) }
        }
        return (flags, data.isEmpty ? nil : data.joined(separator: ","))
    }
}
