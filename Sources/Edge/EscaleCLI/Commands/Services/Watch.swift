import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleDockerfile
import EscaleSystem
import Glibc

/// `escale watch`
enum Watch: CLICommand {
    struct Options: CommandOptions {
        var noUp = false
        var quiet = false
        var prune = true
    }

    static let path = ["watch"]
    static let summary = "Bring changed files into running services"
    static let details: String? = """
        As `develop.watch` of the file says: copied into the containers, with a restart or a command, or by a new image. It \
        brings the services up first, and goes on until Ctrl-C.
        """
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("no-up", nil, \.noUp, "Don't build and start the services first"),
        .toggle("prune", nil, \.prune, "Accepted for habit: images that nothing needs go with `escale image prune`"),
        .toggle("quiet", nil, \.quiet, "Don't show builds"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let project = try session.project(selecting: operands)
        let target = Session.Target(name: project.name, project: project)
        let services = Set(try target.ownServices(operands))
        let watched = project.services.filter { service in
            (services.isEmpty || services.contains(service.name)) && !(service.develop?.watch ?? []).isEmpty
        }
        guard !watched.isEmpty else {
            throw EscaleError(
                .init("watch.nothing"), "none of the services has a `develop.watch`",
                hint: "add one: develop: {watch: [{action: sync, path: ./src, target: /app}]}")
        }
        if !options.noUp { try await bringUp(watched.map(\.name), build: false, options, in: session) }
        var watchers = try watched.flatMap { service in
            try (service.develop?.watch ?? []).map { try RuleWatcher(service, $0) }
        }
        for index in watchers.indices where watchers[index].rule.copiesAtFirst == true {
            try await handle(watchers[index], watchers[index].all, options, in: session)
        }
        session.console.print("Watching \(watched.map(\.name.rawValue).joined(separator: ", ")); Ctrl-C ends it", to: .error)
        while true {
            try await Task.sleep(for: .milliseconds(300))
            for index in watchers.indices {
                let change = try watchers[index].look()
                guard !change.isEmpty else { continue }
                do {
                    try await handle(watchers[index], change, options, in: session)
                } catch let error as EscaleError where error.code != .interrupted {
                    // Half-written code is nothing to end for: the next change may mend it.
                    session.warn("\(watchers[index].service.name): \(error.message)")
                }
            }
        }
    }

    private static func handle(
        _ watcher: RuleWatcher, _ change: RuleWatcher.Change, _ options: Options, in session: Session
    ) async throws {
        let (service, rule) = (watcher.service, watcher.rule)
        let count = change.changed.count + change.removed.count
        session.console.print("\(service.name): \(count) changed, \(rule.action.rawValue)", to: .error)
        if rule.action.copies { try await sync(watcher, change, in: session) }
        switch rule.action {
        case .sync: break
        case .rebuild: try await bringUp([service.name], build: true, options, in: session)
        case .restart, .syncAndRestart:
            _ = try await session.perform(.restart, on: [service.name.rawValue]) { _ in }
        case .syncAndExec:
            if let hook = rule.exec { try await execute(hook, service.name, in: session) }
        }
    }

    private static func sync(_ watcher: RuleWatcher, _ change: RuleWatcher.Change, in session: Session) async throws {
        let client = try session.client()
        for container in try await running(watcher.service.name, in: session) {
            for path in change.changed {
                var request = CopyRequest(
                    hostPath: watcher.hostPath(path), containerPath: watcher.containerPath(path), isFromContainer: false)
                request.makesParents = true
                try await client.copy(container.id.rawValue, request)
            }
            guard !change.removed.isEmpty else { continue }
            let paths = change.removed.map(watcher.containerPath)
            try await execute(["rm", "-rf", "--"] + paths, container, user: "0", in: session)
        }
    }

    private static func running(_ service: ServiceName, in session: Session) async throws -> [ContainerSummary] {
        let name = try session.target().name
        return try await session.client().containers(of: name).filter {
            $0.service == service && $0.isOneOff != true && $0.state == .running
        }
    }

    private static func execute(_ hook: Hook, _ service: ServiceName, in session: Session) async throws {
        for container in try await running(service, in: session) {
            try await execute(
                hook.command, container, user: hook.user, directory: hook.workingDirectory, environment: hook.environment,
                privileged: hook.isPrivileged == true, in: session)
        }
    }

    private static func execute(
        _ command: [String], _ container: ContainerSummary, user: String?, directory: String? = nil,
        environment: [String: String] = [:], privileged: Bool = false, in session: Session
    ) async throws {
        var request = ExecRequest(
            service: container.service, index: container.slot, command: command, tty: false, user: user,
            workingDirectory: directory, environment: environment)
        request.isPrivileged = privileged
        let plan = try await session.client().exec(container.project, request)
        let code = try await session.run(plan, terminal: false, readsInput: false)
        if code != 0 { session.warn("\(container.name): `\(command.joined(separator: " "))` ended with \(code)") }
    }

    private static func bringUp(
        _ services: [ServiceName], build: Bool, _ options: Options, in session: Session
    ) async throws {
        var up = Up.Options()
        up.detach = true
        up.build = build
        up.quietPull = options.quiet
        _ = try await Up.run(up, services.map(\.rawValue), in: session)
    }
}

/// Sees what changes below the path of one rule, by the files' sizes and times.
struct RuleWatcher {
    /// Paths below the rule's own; the empty one for that itself.
    struct Change: Hashable {
        var changed: [String] = []
        var removed: [String] = []
        var isEmpty: Bool { changed.isEmpty && removed.isEmpty }
    }

    struct Stamp: Hashable {
        let size: Int64
        let seconds: Int
        let nanoseconds: Int
        let inode: UInt64

        /// `nil` where there is nothing, or something else than a file or a link.
        init?(_ path: String) {
            var info = stat()
            guard lstat(path, &info) == 0, [S_IFREG, S_IFLNK].contains(info.st_mode & S_IFMT) else { return nil }
            size = Int64(info.st_size)
            seconds = info.st_mtim.tv_sec
            nanoseconds = info.st_mtim.tv_nsec
            inode = UInt64(info.st_ino)
        }
    }

    let service: Service
    let rule: WatchRule
    private let ignored: Dockerignore
    private let included: Dockerignore?
    private var stamps: [String: Stamp]
    /// A change that may still go on.
    private var pending: [String: Stamp]?

    init(_ service: Service, _ rule: WatchRule) throws {
        self.service = service
        self.rule = rule
        ignored = Dockerignore((rule.ignored + [".git/**"]).joined(separator: "\n"))
        included = rule.included.isEmpty ? nil : Dockerignore(rule.included.joined(separator: "\n"))
        stamps = [:]
        stamps = try scan()
    }

    /// All that there is, as a change.
    var all: Change { Change(changed: stamps.keys.sorted()) }

    func hostPath(_ path: String) -> String { path.isEmpty ? rule.path : "\(rule.path)/\(path)" }

    func containerPath(_ path: String) -> String {
        let target = rule.target ?? "/"
        return path.isEmpty ? target : "\(target)/\(path)"
    }

    /// What has changed since the last change that was told; nothing while files are still being written.
    mutating func look() throws -> Change {
        let now = try scan()
        guard now != stamps else {
            pending = nil
            return Change()
        }
        guard now == pending else {
            pending = now
            return Change()
        }
        pending = nil
        let change = Change(
            changed: now.filter { stamps[$0.key] != $0.value }.map(\.key).sorted(),
            removed: stamps.keys.filter { now[$0] == nil }.sorted())
        stamps = now
        return change
    }

    private func scan() throws -> [String: Stamp] {
        guard Files.isDirectory(rule.path) else { return Stamp(rule.path).map { ["": $0] } ?? [:] }
        var found: [String: Stamp] = [:]
        var open = [""]
        while let directory = open.popLast() {
            // One that goes meanwhile is empty.
            for name in (try? Files.list(hostPath(directory))) ?? [] {
                let path = directory.isEmpty ? name : "\(directory)/\(name)"
                if ignored.ignores(path) { continue }
                if let stamp = Stamp(hostPath(path)) {
                    if included.map({ $0.ignores(path) }) ?? true { found[path] = stamp }
                } else if Files.isDirectory(hostPath(path)) {
                    open.append(path)
                }
            }
        }
        return found
    }
}
