import EscaleCore
import EscaleOCI
import EscaleSystem
import Glibc
import Synchronization

/// Looks after the logs of running containers: begins new files when they are full, and hands lines on to syslog.
///
/// Is told of changes by the kernel: a container that writes nothing costs nothing.
package actor LogKeeper {
    private struct Kept {
        let rotation: LogRotation
        let watch: Int32?
        var outcome: LogRotation.Outcome?
        var work: Task<Void, Never>?
    }

    private var kept: [ContainerID: Kept] = [:]
    private var watched: [Int32: ContainerID] = [:]
    private var notifications: FileDescriptor?
    private var loop: Task<Void, Never>?
    private var forwarders: [ContainerID: SyslogForwarder] = [:]
    private let readers = Mutex<[ContainerID: [WeakLog]]>([:])

    private struct WeakLog: Sendable {
        weak var log: OpenLog?
    }

    /// Between two looks at logs that change all the time: they may grow beyond their size meanwhile.
    private static let pause = Duration.milliseconds(50)

    // MARK: Readers

    /// A reader that is given what is about to be removed.
    nonisolated func reader(of id: ContainerID, _ files: LogFiles) -> ContainerLogReader {
        let log = OpenLog(files)
        readers.withLock { readers in
            readers[id, default: []].removeAll { $0.log == nil }
            readers[id, default: []].append(WeakLog(log: log))
        }
        return ContainerLogReader(log)
    }

    private nonisolated func warnReaders(of id: ContainerID) throws {
        let logs = readers.withLock { readers in
            readers[id]?.removeAll { $0.log == nil }
            return readers[id]?.compactMap(\.log) ?? []
        }
        for log in logs { try log.refresh() }
    }

    // MARK: Running containers

    /// Looks after a container's log until it is given back.
    func keep(_ id: ContainerID, name: String, _ rotation: LogRotation) {
        guard rotation.settings.isKept else { return }
        if case .syslog(let target) = rotation.settings.destination {
            let forwarder = forwarders[id] ?? SyslogForwarder(id, name: name, rotation.files, target, reader(of: id, rotation.files))
            forwarders[id] = forwarder
            forwarder.begin()
        }
        guard rotation.settings.fileSize != nil else { return }
        kept[id] = Kept(rotation: rotation, watch: watch(rotation.files.directory, id))
        look(after: id)
        if kept[id]?.watch == nil { lookRegularly(after: id) }
    }

    /// Gives a log back whose container has ended. Nothing is done to it any more when this returns, but that lines are
    /// still handed on.
    func release(_ id: ContainerID) async {
        guard let entry = kept.removeValue(forKey: id) else { return }
        if let watch = entry.watch {
            watched[watch] = nil
            if let notifications { _ = inotify_rm_watch(notifications.number, watch) }
        }
        await entry.work?.value
    }

    /// Tells that a container's last line is written.
    func finish(_ id: ContainerID) { forwarders[id]?.finish() }

    /// Ends what is done for a container that is about to be removed; gives what is left to hand on a moment.
    func forget(_ id: ContainerID) async {
        await release(id)
        await forwarders.removeValue(forKey: id)?.end(within: .seconds(2))
        readers.withLock { _ = $0.removeValue(forKey: id) }
    }

    // MARK: Looking

    private func look(after id: ContainerID) {
        guard let entry = kept[id], entry.work == nil else { return }
        kept[id]?.work = Task {
            let outcome = try? await blocking { [self] in
                try entry.rotation.run(after: entry.outcome) { try warnReaders(of: id) }
            }
            // What failed, on a full disk for example, is tried again at the next change.
            kept[id]?.outcome = outcome ?? entry.outcome ?? .settled
            kept[id]?.work = nil
        }
    }

    private func watch(_ directory: String, _ id: ContainerID) -> Int32? {
        if notifications == nil {
            let number = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
            guard number >= 0 else { return nil }
            let descriptor = FileDescriptor(owning: number)
            notifications = descriptor
            loop = Task { [weak self] in
                while (try? await Reactor.shared.readable(descriptor)) != nil {
                    guard let self else { return }
                    await self.notice(descriptor)
                    try? await Task.sleep(for: Self.pause)
                }
            }
        }
        guard let notifications else { return nil }
        let watch = inotify_add_watch(notifications.number, directory, UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO))
        guard watch >= 0 else { return nil }
        watched[watch] = id
        return watch
    }

    private func notice(_ descriptor: FileDescriptor) {
        var changed: Set<ContainerID> = []
        while let bytes = try? descriptor.readAvailable(), !bytes.isEmpty {
            var offset = 0
            let header = MemoryLayout<inotify_event>.size
            while offset + header <= bytes.count {
                let event = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: inotify_event.self) }
                if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { changed.formUnion(kept.keys) }
                if let id = watched[event.wd] { changed.insert(id) }
                offset += header + Int(event.len)
            }
        }
        for id in changed { look(after: id) }
    }

    /// For a host that can't watch any more directories.
    private func lookRegularly(after id: ContainerID) {
        Task { [weak self] in
            while await self?.kept[id] != nil {
                try? await Task.sleep(for: .seconds(1))
                await self?.look(after: id)
            }
        }
    }
}
