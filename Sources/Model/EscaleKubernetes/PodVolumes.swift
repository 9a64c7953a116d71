import EscaleCompose
import EscaleCore
import EscaleYAML

/// The volumes of one pod, and where its containers see them.
struct PodVolumes {
    /// A volume that is to be filled with what the image has at its place, as Compose does with new volumes.
    struct Filling {
        var volume: String
        var subpath: String?
        var target: String
    }

    var volumes: [YAMLValue] = []
    var mounts: [YAMLValue] = []
    var fillings: [Filling] = []
    private var names: Set<String> = []
    private var byKey: [String: String] = [:]

    /// Adds a volume once for each key, and gives its name.
    mutating func volume(_ wanted: String, key: String, _ source: KeyValuePairs<String, YAMLValue?>) -> String {
        if let name = byKey[key] { return name }
        let name = ObjectNames.free(ObjectNames.label(wanted), &names)
        byKey[key] = name
        volumes.append(.map([.init("name", .string(name))] + YAMLValue.object(source).members))
        return name
    }

    mutating func mount(_ name: String, at target: String, subpath: String? = nil, readOnly: Bool = false, propagation: String? = nil) {
        mounts.append(
            .object([
                "name": .string(name), "mountPath": .string(target), "subPath": subpath.map { .string($0) },
                "readOnly": readOnly ? true : nil, "mountPropagation": propagation.map { .string($0) },
            ]))
    }
}

extension KubernetesMapping {
    mutating func volumes(of service: Service) -> PodVolumes {
        var pod = PodVolumes()
        for mount in service.mounts { add(mount, of: service, to: &pod) }
        for other in inherited(by: service) { add(other, of: service, to: &pod) }
        addSharedFiles(of: service, to: &pod)
        if let size = service.resources?.sharedMemory {
            let name = pod.volume("shm", key: "shm", ["emptyDir": .object(["medium": "Memory", "sizeLimit": Self.quantity(size)])])
            pod.mount(name, at: "/dev/shm")
        }
        let targets = Set(service.mounts.map(\.target))
        for directory in images[service.imageName(in: project.name)]?.volumes ?? [] where !targets.contains(directory) {
            add(Mount(.anonymous, target: directory), of: service, to: &pod, because: "image")
        }
        return pod
    }

    /// `volumes_from`: what the other service mounts, at the same places, but for what this one mounts itself.
    private mutating func inherited(by service: Service) -> [Mount] {
        var taken = Set(service.mounts.map(\.target))
        var found: [Mount] = []
        for source in service.volumesFrom ?? [] {
            guard case .service(let name) = source.owner, let other = project.service(name) else {
                note(.lost, service, "volumes_from", "a container outside of the file is not in the cluster")
                continue
            }
            for mount in other.mounts {
                guard case .volume = mount.source, taken.insert(mount.target).inserted else { continue }
                var mount = mount
                mount.readOnly = mount.readOnly || source.readOnly
                found.append(mount)
            }
        }
        return found
    }

    /// - Parameter attribute: what of the file brings it.
    private mutating func add(_ mount: Mount, of service: Service, to pod: inout PodVolumes, because attribute: String = "volumes") {
        let subpath = mount.options?.subpath
        switch mount.source {
        case .volume(let key):
            let name = pod.volume(key, key: "volume \(key)", volumeSource(key))
            pod.mount(name, at: mount.target, subpath: subpath, readOnly: mount.readOnly)
            if !mount.readOnly, mount.options?.keepsEmpty != true {
                pod.fillings.append(.init(volume: name, subpath: subpath, target: mount.target))
            }
        case .anonymous:
            note(
                .approximated, service, attribute,
                "\(mount.target): a volume without a name lives as long as its pod, and is empty again in the next one")
            let name = pod.volume("data-\(mount.target)", key: "anonymous \(mount.target)", ["emptyDir": .map([])])
            pod.mount(name, at: mount.target)
            if mount.options?.keepsEmpty != true { pod.fillings.append(.init(volume: name, subpath: nil, target: mount.target)) }
        case .tmpfs(let size, _):
            let source = YAMLValue.object(["medium": "Memory", "sizeLimit": size.map(Self.quantity)])
            pod.mount(pod.volume("tmp-\(mount.target)", key: "tmpfs \(mount.target)", ["emptyDir": source]), at: mount.target)
        case .image(let image):
            let source = YAMLValue.object(["reference": .string(image)])
            let name = pod.volume("image-\(mount.target)", key: "image \(image)", ["image": source])
            pod.mount(name, at: mount.target, subpath: subpath, readOnly: true)
        case .bind(let path, _): bind(path, mount, of: service, to: &pod)
        case .cluster(let name):
            let source = YAMLValue.object(["claimName": .string(ObjectNames.label(name))])
            pod.mount(pod.volume(name, key: "cluster \(name)", ["persistentVolumeClaim": source]), at: mount.target, readOnly: mount.readOnly)
        case .pipe: note(.lost, service, "volumes", "\(mount.target): named pipes of Windows are not in the cluster")
        }
    }

    // MARK: Named volumes

    private func volumeSource(_ key: String) -> KeyValuePairs<String, YAMLValue?> {
        if let share = networkShare(key) { return ["nfs": share] }
        if let path = project.volumes.first(where: { $0.key == key })?.boundDirectory {
            return ["hostPath": .object(["path": .string(path)])]
        }
        return ["persistentVolumeClaim": .object(["claimName": .string(claimName(key))])]
    }

    /// A volume of the local driver that is a directory of an NFS server needs no claim.
    func networkShare(_ key: String) -> YAMLValue? {
        guard let options = project.volumes.first(where: { $0.key == key })?.options?.driverOptions,
            let type = options["type"], type == "nfs" || type == "nfs4", let device = options["device"]
        else { return nil }
        let words = (options["o"] ?? "").split(separator: ",")
        guard let server = words.first(where: { $0.hasPrefix("addr=") })?.dropFirst(5) else { return nil }
        return .object([
            "server": .string(String(server)), "path": .string(device.hasPrefix(":") ? String(device.dropFirst()) : device),
            "readOnly": words.contains("ro") ? true : nil,
        ])
    }

    // MARK: Bind mounts

    /// What belongs to the project goes with it, in a ConfigMap; what belongs to the machine is taken from the node.
    private mutating func bind(_ path: String, _ mount: Mount, of service: Service, to pod: inout PodVolumes) {
        guard path == project.workingDirectory || path.hasPrefix(project.workingDirectory + "/") else {
            note(.approximated, service, "volumes", "\(mount.target): \(path) is taken from the node that the pod is on")
            let source = YAMLValue.object(["path": .string(path)])
            let name = pod.volume("node-\(path)", key: "bind \(path)", ["hostPath": source])
            pod.mount(name, at: mount.target, readOnly: mount.readOnly, propagation: propagation(of: mount))
            return
        }
        if mount.options?.relabelling != nil { note(.lost, service, "volumes", "\(mount.target): the cluster labels volumes itself") }
        let contents: [String: [UInt8]]
        let isFile: Bool
        switch files.read(path) {
        case .contents(let bytes): (contents, isFile) = ([path.split(separator: "/").last.map(String.init) ?? "file": bytes], true)
        case .directory(let found): (contents, isFile) = (found, false)
        case .failed(let why):
            note(.lost, service, "volumes", "\(mount.target): \(path) can't go into a ConfigMap: \(why)")
            return
        }
        guard contents.values.reduce(0, { $0 + $1.count }) < Self.mostBytes else {
            note(
                .lost, service, "volumes",
                "\(mount.target): \(path) holds more than the 1 MiB that a ConfigMap can; put it into the image, or into a named volume")
            return
        }
        guard !contents.isEmpty else {
            note(.approximated, service, "volumes", "\(mount.target): \(path) is empty here, and so is the pod's directory")
            pod.mount(pod.volume("files-\(mount.target)", key: "bind \(path)", ["emptyDir": .map([])]), at: mount.target)
            return
        }
        note(
            .approximated, service, "volumes",
            "\(mount.target): a copy of \(path), as it is now, that can't be written")
        let map = configMap(ObjectNames.label("\(names.service(service.name))-\(path.split(separator: "/").last ?? "files")"), contents)
        let items = contents.keys.sorted().map { YAMLValue.object(["key": .string(Self.key($0)), "path": .string($0)]) }
        let name = pod.volume("files-\(mount.target)", key: "bind \(path)", ["configMap": .object(["name": .string(map), "items": .list(items)])])
        pod.mount(name, at: mount.target, subpath: isFile ? contents.keys.first : nil, readOnly: true)
    }

    /// Less than 1 MiB, for the object's own text.
    private static let mostBytes = 1_000_000

    private func propagation(of mount: Mount) -> String? {
        switch mount.options?.propagation {
        case .shared, .rshared: "Bidirectional"
        case .slave, .rslave: "HostToContainer"
        case .private, .rprivate, nil: nil
        }
    }
}
