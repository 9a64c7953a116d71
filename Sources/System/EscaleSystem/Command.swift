import CEscaleLinux
package import EscaleCore
import Glibc

/// One mount that a command, or a thread, gets in its private mount namespace.
package struct PrivateMount: Hashable, Sendable {
    package let source: String
    package let target: String
    package let type: String
    package let flags: UInt
    package let data: String?
    /// Where the source is looked up, with whatever is mounted below it: symbolic links can't lead out. The target is made. `nil`
    /// for a mount(2) as it is.
    package var root: String?
    /// Whether it stays one with what it is taken from: what is mounted below either is seen below both. For commands only.
    package var isShared = false
    /// The process whose mount it is; `nil` for the caller's. For commands only.
    package var owner: Int32?

    package init(source: String, target: String, type: String, flags: UInt = 0, data: String? = nil) {
        self.source = source
        self.target = target
        self.type = type
        self.flags = flags
        self.data = data
    }

    /// Whether mounts can be read only; see mount(2).
    package static let readOnly: UInt = 1
    package static let bind: UInt = 4096
    package static let recursive: UInt = 16384
}

/// A mount namespace that lives as long as the processes or the thread in it, so that nothing is ever left mounted.
package struct MountNamespace: Hashable, Sendable {
    /// Mount points to take away first; missing ones are fine.
    package var unmounts: [String]
    package var mounts: [PrivateMount]
    /// Where relative paths in the mounts' data start.
    package var directory: String?
    /// Whether what is mounted on the host later is seen in it.
    package var receivesMounts = false

    package init(unmounts: [String] = [], mounts: [PrivateMount] = [], directory: String? = nil) {
        self.unmounts = unmounts
        self.mounts = mounts
        self.directory = directory
    }

    /// Runs the work on a thread of its own that sees these mounts; they vanish with it.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        let namespace = self
        return try await onNewThread {
            try check("make a mount namespace") { c_escale_unshare_mounts() }
            for target in namespace.unmounts { _ = c_escale_unmount(target) }
            if let directory = namespace.directory { try check("enter \(directory)") { chdir(directory) } }
            for mount in namespace.mounts {
                try mount.withCMount { raw in
                    _ = try withUnsafePointer(to: raw) { pointer in
                        try check("mount \(mount.type) on \(mount.target)") { c_escale_mount(pointer) }
                    }
                }
            }
            return try work()
        }
    }
}

/// A program to run, with all that it inherits spelled out.
package struct Command: Sendable {
    package var executable: String
    package var arguments: [String]
    /// The whole environment; by default a plain one with a `PATH`.
    package var environment: [String: String]
    package var directory: String?
    /// The directory is looked up inside this one, which symbolic links can't leave.
    package var directoryRoot: String?
    package var namespace: MountNamespace?
    package var newSession: Bool

    package static let defaultEnvironment = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
    ]

    package init(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String] = Command.defaultEnvironment,
        directory: String? = nil,
        directoryRoot: String? = nil,
        namespace: MountNamespace? = nil,
        newSession: Bool = false
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.directoryRoot = directoryRoot
        self.namespace = namespace
        self.newSession = newSession
    }

    /// Starts the program; the given descriptors become its 0, 1, 2, …; all others close.
    ///
    /// Blocks until the program is loaded. A program that can't be started throws `system.*` with the failed stage.
    package func spawn(_ descriptors: [FileDescriptor]) throws(EscaleError) -> ChildProcess {
        var pid: pid_t = 0
        var pidfd: Int32 = -1
        var stage: UnsafePointer<CChar>?
        var mount: Int32 = -1
        var error = withCSpawn(descriptors.map(\.number)) { c_escale_spawn($0, &pid, &pidfd, &stage, &mount) }
        // A program that was just written may be open still, in a child of another thread that hasn't become its program yet.
        for _ in 0..<20 where error == ETXTBSY {
            usleep(5000)
            error = withCSpawn(descriptors.map(\.number)) { c_escale_spawn($0, &pid, &pidfd, &stage, &mount) }
        }
        _ = descriptors.count
        guard error == 0 else {
            if mount >= 0, let failed = namespace?.mounts[Int(mount)] {
                throw Errno(error).during("mount \(failed.source) on \(failed.target)")
            }
            let failed = stage.map { String(cString: $0) } ?? "start"
            throw Errno(error).during("run \(executable) (\(failed))")
        }
        return ChildProcess(pid: pid, pidfd: FileDescriptor(owning: pidfd))
    }

    private func withCSpawn(_ fds: [Int32], _ body: (UnsafePointer<c_escale_spawn>) -> Int32) -> Int32 {
        let arena = CStringArena()
        var spawn = c_escale_spawn()
        spawn.path = arena.string(executable)
        spawn.argv = arena.array([executable] + arguments)
        spawn.envp = arena.array(environment.map { "\($0.key)=\($0.value)" }.sorted())
        spawn.new_session = newSession ? 1 : 0
        spawn.root_dir = arena.string(directoryRoot)
        spawn.cwd = arena.string(directory)
        spawn.fd_count = Int32(fds.count)
        let mounts = (namespace?.mounts ?? []).map { arena.mount($0) }
        let unmounts = (namespace?.unmounts ?? []).map { arena.string($0) }
        spawn.private_mounts = namespace == nil ? 0 : 1
        spawn.receives_mounts = namespace?.receivesMounts == true ? 1 : 0
        spawn.mount_dir = arena.string(namespace?.directory)
        spawn.mount_count = Int32(mounts.count)
        spawn.unmount_count = Int32(unmounts.count)
        return fds.withUnsafeBufferPointer { fds in
            mounts.withUnsafeBufferPointer { mounts in
                unmounts.withUnsafeBufferPointer { unmounts in
                    spawn.fds = fds.baseAddress
                    spawn.mounts = mounts.baseAddress
                    spawn.unmounts = unmounts.baseAddress
                    return withUnsafePointer(to: spawn) { body($0) }
                }
            }
        }
    }
}

extension PrivateMount {
    fileprivate func withCMount<Value>(_ body: (c_escale_mount) throws -> Value) rethrows -> Value {
        let arena = CStringArena()
        defer { withExtendedLifetime(arena) {} }
        return try body(arena.mount(self))
    }
}

/// C strings that live as long as it does.
private final class CStringArena {
    private var strings: [UnsafeMutablePointer<CChar>] = []
    private var arrays: [UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>] = []

    deinit {
        for string in strings { free(string) }
        for array in arrays { array.deallocate() }
    }

    func string(_ text: String?) -> UnsafePointer<CChar>? {
        guard let text, let copy = strdup(text) else { return nil }
        strings.append(copy)
        return UnsafePointer(copy)
    }

    /// Null-terminated.
    func array(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        let array = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() {
            array[index] = strdup(text)
            if let copy = array[index] { strings.append(copy) }
        }
        array[texts.count] = nil
        arrays.append(array)
        return array
    }

    func mount(_ mount: PrivateMount) -> c_escale_mount {
        c_escale_mount(
            source: string(mount.source), target: string(mount.target), type: string(mount.type),
            flags: mount.flags, data: string(mount.data), root: string(mount.root), shared: mount.isShared ? 1 : 0,
            owner: mount.owner ?? 0)
    }
}
