package import EscaleCore
import EscaleOCI
package import EscaleSystem
import Glibc

/// Where the engine keeps its things.
package struct EngineDirectories: Sendable {
    /// Under `/var/lib/escale`: writable layers, logs, volumes.
    package let state: String
    /// Under `/run/escale`: bundles, the OCI runtime's state.
    package let runtime: String
    /// The image store's unpacked layers.
    package let layers: String
    /// Sets the cgroups of several daemons on one host apart; empty for the main one.
    package let instance: String

    package init(state: String, runtime: String, layers: String, instance: String) {
        self.state = state
        self.runtime = runtime
        self.layers = layers
        self.instance = instance
    }
}

/// The two processes of a container: its first one, and the conmon that holds its output and its exit code.
package struct ContainerProcesses: Codable, Hashable, Sendable {
    package let container: ProcessIdentity
    package let conmon: ProcessIdentity

    package init(container: ProcessIdentity, conmon: ProcessIdentity) {
        self.container = container
        self.conmon = conmon
    }
}

/// How a container ended.
package struct ContainerExit: Codable, Hashable, Sendable {
    /// 128 + the signal for one that a signal ended.
    package let code: Int32
    package let outOfMemory: Bool
    /// Whether nobody saw it end, such as over a reboot; the code is 137 then.
    package let unseen: Bool
    /// Whether the machine ended, and it with it.
    package var endedWithHost = false

    package init(code: Int32, outOfMemory: Bool, unseen: Bool, endedWithHost: Bool = false) {
        self.code = code
        self.outOfMemory = outOfMemory
        self.unseen = unseen
        self.endedWithHost = endedWithHost
    }
}

/// Runs containers: OCI bundles under crun or runc, each held by a conmon that outlives this process.
///
/// A container's root and every mount for it live in a mount namespace of its own, its network namespace is the
/// runtime's: when the processes are gone, nothing of it is left but its directories. The engine knows no projects
/// and keeps no list; callers hold ``ContainerProcesses`` and give them back.
package struct Engine: Sendable {
    package let facts: HostFacts
    package let directories: EngineDirectories
    let logs = LogKeeper()
    /// What an OCI runtime may take for one command.
    private let patience: Duration

    package init(facts: HostFacts, directories: EngineDirectories, patience: Duration = .seconds(30)) {
        self.facts = facts
        self.directories = directories
        self.patience = patience
    }

    func bundle(_ id: ContainerID) -> Bundle {
        Bundle(
            directory: "\(directories.runtime)/containers/\(id)", state: "\(directories.state)/containers/\(id)")
    }

    private var runtimeRoot: String { "\(directories.runtime)/oci" }
    private var cgroupParent: String { "/escale" + (directories.instance.isEmpty ? "" : "-\(directories.instance)") }
    /// What a running container uses of memory; `nil` where the host doesn't count it. Blocks.
    package func memoryUsage(of id: ContainerID) -> ByteCount? { cgroup(id).memoryUsage }

    private var borrowedGroups: BorrowedGroups {
        BorrowedGroups(directory: "\(directories.runtime)/control-groups", layout: facts.cgroups)
    }

    func cgroup(_ id: ContainerID) -> Cgroup {
        Cgroup(path: "\(bundle(id).placement.cgroupParent ?? cgroupParent)/\(id)", layout: facts.cgroups)
    }

    /// The OCI runtime that has the container, with its common arguments, where it can't see what it refuses.
    func runtimeCommand(_ arguments: [String], of id: ContainerID) -> Command {
        let namespace = facts.hiddenMounts.isEmpty ? nil : MountNamespace(unmounts: facts.hiddenMounts)
        let runtime = bundle(id).placement.runtime ?? facts.runtime
        return Command(runtime, ["--root", runtimeRoot] + arguments, namespace: namespace)
    }

    // MARK: Life

    /// Makes the container: everything is in place, its network namespace exists, its program doesn't run yet.
    ///
    /// Its `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` are the ones given; an earlier run's writable layer is
    /// kept. Throws `container.start-failed` with the runtime's words, or because there come none; what was begun has been
    /// ended then.
    package func create(_ blueprint: ContainerBlueprint, files: [String: String]) async throws -> ContainerProcesses {
        let bundle = bundle(blueprint.spec.id)
        if blueprint.logging?.destination == .journal, !Files.exists("/run/systemd/journal/socket") {
            throw EscaleError.noJournal(blueprint.name)
        }
        let (reading, writing) = try FileDescriptor.pipe()
        let child = try await blocking {
            try bundle.prepare()
            try bundle.write(Placement(runtime: blueprint.runtime, cgroupParent: blueprint.cgroupParent))
            if let parent = blueprint.cgroupParent { try borrowedGroups.prepare(parent) }
            var mounted: [String: String] = [:]
            for (target, text) in files {
                let path = bundle.file(target.split(separator: "/").last.map(String.init) ?? "file")
                try Files.write(path, text.utf8)
                mounted[target] = path
            }
            let prepared = try bundle.preparing(try bundle.providing(blueprint.spec), layers: directories.layers)
            var spec = prepared.spec
            let cgroup = cgroup(spec.id)
            let nodes = try spec.deviceNodes()
            if cgroup.hasSchedulersWeights {
                spec.limits?.blockDevices?.weight = nil
                spec.limits?.blockDevices?.weights = []
            }
            if let runtime = spec.limits?.realtimeRuntime {
                try cgroup.raiseRealtime(runtime: runtime, period: spec.limits?.realtimePeriod)
            }
            try bundle.write(
                RuntimeSpec(
                    spec, rootPath: bundle.root, cgroup: cgroup.path, files: mounted, profile: facts.seccomp,
                    nodes: nodes))
            let null = try FileDescriptor("/dev/null", O_RDWR)
            do {
                return try conmon(blueprint, bundle, prepared.mounts).spawn([null, null, null, writing])
            } catch {
                throw bundle.explained(EscaleError(wrapping: error), blueprint.spec)
            }
        }
        _ = consume writing
        let pid = try await containerPID(by: child, on: reading, of: blueprint)
        return try await blocking {
            guard let container = ProcessIdentity(pid: pid),
                let conmonPID = Int32((try Files.readText(bundle.conmonFile)).filter(\.isNumber)),
                let conmon = ProcessIdentity(pid: conmonPID)
            else { throw EscaleError.startFailed(blueprint.name, saying: "it was gone at once") }
            let spec = blueprint.spec
            if let block = spec.limits?.blockDevices, cgroup(spec.id).hasSchedulersWeights {
                try cgroup(spec.id).setWeights(block, try spec.deviceNodes())
            }
            return ContainerProcesses(container: container, conmon: conmon)
        }
    }

    /// Lets the container's program run.
    package func start(_ id: ContainerID, name: String) async throws {
        let result = try await runtimeCommand(["start", id.rawValue], of: id).run(timeout: patience)
        guard result.status == 0 else { throw EscaleError.startFailed(name, saying: result.tail()) }
    }

    /// Waits for the container's end, and looks after its log meanwhile.
    ///
    /// A conmon that was killed takes its container along: without it neither output nor exit code would be known.
    package func exit(of blueprint: ContainerBlueprint, _ processes: ContainerProcesses) async throws -> ContainerExit {
        let id = blueprint.spec.id
        await logs.keep(
            id, name: blueprint.name,
            LogRotation(
                files: bundle(id).logFiles, control: bundle(id).control, conmon: processes.conmon,
                settings: blueprint.logging ?? LogSettings()))
        do {
            if let conmon = ProcessHandle(processes.conmon) { try await conmon.ended() }
        } catch {
            await logs.release(id)
            throw error
        }
        await logs.release(id)
        let exit = try await lookAtEnd(of: id)
        await logs.finish(id)
        return exit
    }

    /// Whether a container that was started has ended. Blocks.
    package func hasEnded(_ processes: ContainerProcesses) -> Bool { !processes.conmon.isAlive }

    private func lookAtEnd(of id: ContainerID) async throws -> ContainerExit {
        try await blocking {
            let bundle = bundle(id)
            let file = "\(bundle.exitDirectory)/\(id)"
            let code = (try? Files.readText(file)).flatMap { Int32($0.filter { $0.isNumber || $0 == "-" }) }
            let ranOut = Files.exists(bundle.outOfMemoryMark) || cgroup(id).ranOutOfMemory
            // Where the namespace of processes isn't the container's own, its others outlive the first one.
            if code == nil { cgroup(id).clear() } else { cgroup(id).endProcesses() }
            // A log that can't be completed lacks a line's end at worst; the exit counts all the same.
            try? ContainerLogReader.seal(directory: bundle.state, at: .now)
            return ContainerExit(
                code: code ?? 137, outOfMemory: ranOut, unseen: code == nil,
                endedWithHost: code == nil && !Files.exists(bundle.directory))
        }
    }

    /// Asks the container to end, and makes it after the grace period; returns when it has ended.
    package func stop(_ processes: ContainerProcesses, signal: Int32, grace: Duration) async throws {
        guard let container = ProcessHandle(processes.container) else { return }
        let conmon = ProcessHandle(processes.conmon)
        container.signal(signal)
        let killer = Task {
            try await Task.sleep(for: grace)
            container.signal(SIGKILL)
        }
        defer { killer.cancel() }
        try await container.ended()
        try await conmon?.ended()
    }

    /// Sends a signal to the container's first process; one that has ended is no error.
    package func signal(_ processes: ContainerProcesses, _ signal: Int32) {
        ProcessHandle(processes.container)?.signal(signal)
    }

    /// Freezes the container's processes where they are. Throws `container.runtime-failed` with the runtime's words.
    package func pause(_ id: ContainerID, name: String) async throws { try await tell("pause", id, name) }

    /// Lets frozen processes go on; those of one that isn't frozen do already. Throws `container.runtime-failed` with the
    /// runtime's words.
    package func resume(_ id: ContainerID, name: String) async throws {
        if try await blocking({ isFrozen(id) }) == false { return }
        try await tell("resume", id, name)
    }

    /// Whether the container's processes are frozen; `nil` where nothing tells, since an OCI runtime other than crun and
    /// runc may have another way. Blocks.
    package func isFrozen(_ id: ContainerID) -> Bool? {
        let runtime = bundle(id).placement.runtime ?? facts.runtime
        guard let program = runtime.split(separator: "/").last, Self.runtimes.contains(String(program)) else { return nil }
        return cgroup(id).isFrozen
    }

    /// Ends what a killed daemon's OCI runtime is still about to do to a container that runs: to freeze it, or to let it go
    /// on. After that ``isFrozen(_:)`` doesn't change by itself.
    package func settle(_ id: ContainerID) async throws {
        let tellers = try await blocking {
            try Files.list("/proc").compactMap { Int32($0).flatMap(ProcessIdentity.init(pid:)) }.filter { isTelling($0, id) }
        }
        for process in tellers {
            guard let handle = ProcessHandle(process) else { continue }
            handle.signal(SIGKILL)
            try await handle.ended()
        }
    }

    /// Whether the process is a runtime that pauses the container or lets it go on.
    private func isTelling(_ process: ProcessIdentity, _ id: ContainerID) -> Bool {
        // One that has ended has no words.
        let words = ((try? Files.readText("/proc/\(process.pid)/cmdline")) ?? "").split(separator: "\0").suffix(3).map(String.init)
        return words.count == 3 && ["pause", "resume"].contains(words[1]) && words[2] == id.rawValue
    }

    /// Those that freeze a container by its control group.
    private static let runtimes = ["crun", "runc"]

    private func tell(_ verb: String, _ id: ContainerID, _ name: String) async throws {
        let result = try await runtimeCommand([verb, id.rawValue], of: id).run(timeout: patience)
        guard result.status == 0 else { throw EscaleError.runtimeFailed(verb, name, saying: result.tail()) }
    }

    /// Where conmon has the container's `attach` socket and its `ctl` pipe.
    package func attachDirectory(of id: ContainerID) -> String { bundle(id).directory }

    /// Frees what the runtime holds for a container that has ended, so that it can be made again.
    package func release(_ id: ContainerID) async throws {
        let result = try await runtimeCommand(["delete", "--force", id.rawValue], of: id).run(timeout: patience)
        try await blocking {
            if result.status != 0 { cgroup(id).clear() }
            if let parent = bundle(id).placement.cgroupParent { borrowedGroups.tidy(parent) }
            try Files.remove("\(runtimeRoot)/\(id)")
            try Files.remove(bundle(id).directory)
        }
    }

    /// Removes the container and all its files, running or not, complete or not.
    package func remove(_ id: ContainerID) async throws {
        try await release(id)
        await logs.forget(id)
        try await blocking { try Files.remove(bundle(id).state) }
    }

    /// What a container's changes and its log take on the disk. Blocks.
    package func diskUsage(of id: ContainerID) -> ByteCount { Files.usage(bundle(id).state) }

    // MARK: What was left

    /// Ends and removes every container that is not among the known ones: what a killed daemon had begun. Blocks.
    package func sweep(keeping known: Set<ContainerID>) async throws {
        let strangers = try await blocking {
            let bundles = try Files.list("\(directories.runtime)/containers")
            let states = try Files.list("\(directories.state)/containers")
            let groups = Cgroup(path: cgroupParent, layout: facts.cgroups).children
            return Set(bundles + states + groups).map(ContainerID.init(rawValue:)).filter { !known.contains($0) }
        }
        for id in strangers { try await discard(id) }
    }

    /// Removes a container that may be half made, its makers included, and all its files.
    package func discard(_ id: ContainerID) async throws {
        try await discardProcesses(id)
        try await remove(id)
    }

    /// Ends whatever runs for a container that may be half made, its makers included. Its files stay.
    package func discardProcesses(_ id: ContainerID) async throws {
        try await discardMakers(id)
        try await release(id)
    }

    private func discardMakers(_ id: ContainerID) async throws {
        try await blocking {
            let own = bundle(id).directory
            for _ in 0..<100 {
                let makers = Self.processes { $0.contains(own) || $0.contains(id.rawValue) }
                if makers.isEmpty { break }
                for pid in makers { kill(pid, SIGKILL) }
                cgroup(id).clear()
                usleep(5000)
            }
            cgroup(id).clear()
        }
    }

    /// The processes of conmon and the OCI runtime whose arguments satisfy the condition, and what they have begun.
    private static func processes(where condition: (String) -> Bool) -> [Int32] {
        let makers = ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }.filter { pid in
            guard pid != getpid(), let line = try? Files.readText("/proc/\(pid)/cmdline") else { return false }
            let program = line.prefix { $0 != "\0" }.split(separator: "/").last ?? ""
            return (runtimes + ["conmon"]).contains(String(program)) && condition(line)
        }
        return makers + makers.flatMap(descendants)
    }

    /// A runtime may be a script that runs others.
    private static func descendants(of pid: Int32) -> [Int32] {
        let text = (try? Files.readText("/proc/\(pid)/task/\(pid)/children")) ?? ""
        let children = text.split(separator: " ").compactMap { Int32($0) }
        return children + children.flatMap(descendants)
    }

    /// Removes the directories and cgroups that containers share, as far as none is in them. For a host that nothing of
    /// Escale shall stay on.
    package func tidy() async {
        // Nothing in it throws: what isn't empty stays.
        try? await blocking {
            Cgroup(path: cgroupParent, layout: facts.cgroups).removeIfEmpty()
            for path in ["containers", "oci", "control-groups"] { rmdir("\(directories.runtime)/\(path)") }
            rmdir("\(directories.state)/containers")
        }
    }

    // MARK: conmon

    private func conmon(_ blueprint: ContainerBlueprint, _ bundle: Bundle, _ mounts: [PrivateMount]) -> Command {
        let id = blueprint.spec.id.rawValue
        var arguments = [
            "--api-version", "1", "--cid", id, "--cuuid", id, "--name", blueprint.name, "--runtime",
            blueprint.runtime ?? facts.runtime,
            "--runtime-arg", "--root=\(runtimeRoot)", "--bundle", bundle.directory, "--container-pidfile",
            bundle.processFile, "--conmon-pidfile", bundle.conmonFile, "--exit-dir", bundle.exitDirectory, "--socket-dir-path", bundle.directory, "--full-attach",
            "--no-sync-log", "--log-level", "error",
        ]
        switch blueprint.logging?.destination ?? .filesOnly {
        case .filesOnly, .syslog: arguments += ["--log-path", "k8s-file:\(bundle.logFiles.current)"]
        case .nobody: arguments += ["--log-path", "none"]
        case .journal: arguments += ["--log-path", "k8s-file:\(bundle.logFiles.current)", "--log-path", "journald"]
        }
        if blueprint.spec.terminal { arguments.append("--terminal") }
        switch blueprint.input {
        case nil: break
        case .untilDetached: arguments.append("--stdin")
        case .keptOpen: arguments += ["--stdin", "--leave-stdin-open"]
        }
        var environment = Command.defaultEnvironment
        environment["_OCI_SYNCPIPE"] = "3"
        var namespace = MountNamespace(
            unmounts: facts.hiddenMounts, mounts: [bundle.overlay(of: blueprint)] + mounts, directory: directories.layers)
        namespace.receivesMounts = blueprint.spec.propagation != .own
        return Command(facts.conmon, arguments, environment: environment, namespace: namespace, newSession: true)
    }

    /// What conmon makes of the container. It may hang, or the runtime that it runs: they are given their time, then ended.
    private func containerPID(
        by conmon: ChildProcess, on pipe: FileDescriptor, of blueprint: ContainerBlueprint
    ) async throws -> Int32 {
        // Reaped whatever comes; it goes into the background at once as a rule.
        let first = Task { try await conmon.wait() }
        let word = Task {
            _ = try await first.value
            return try await containerPID(from: pipe, name: blueprint.name)
        }
        let limit = Task {
            try await Task.sleep(for: patience)
            conmon.signal(SIGKILL)
            word.cancel()
            return true
        }
        let outcome = await word.result
        limit.cancel()
        // Cancelled, it came to nothing.
        guard (try? await limit.value) == true else { return try outcome.get() }
        try await discardMakers(blueprint.spec.id)
        throw EscaleError.runtimeHangs(blueprint.name, for: patience)
    }

    /// conmon's word on its sync pipe: the process number, or why there is none.
    private func containerPID(from pipe: FileDescriptor, name: String) async throws -> Int32 {
        var text: [UInt8] = []
        while !text.contains(UInt8(ascii: "\n")) {
            try await Reactor.shared.readable(pipe)
            let piece = try pipe.read()
            if piece.isEmpty { break }
            text += piece
        }
        guard let report = ConmonReport(text) else {
            throw EscaleError.startFailed(name, saying: "conmon ended without a word: \(String(decoding: text, as: UTF8.self))")
        }
        if let pid = report.pid { return pid }
        throw EscaleError.startFailed(name, saying: report.message)
    }
}
