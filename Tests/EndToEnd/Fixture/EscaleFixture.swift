import EscaleCore
import EscaleSystem
import Glibc
import Synchronization
import Testing

/// An Escale of the test's own, used only through its command line.
///
///     try await EscaleFixture.with { escale in
///         let shop = try escale.project("shop", "services: {web: {image: busybox, command: httpd -f}}")
///         try await shop.escale("up", "-d").ok()
///         #expect(try await shop.container("web").state == .running)
///     }
///
/// - It has a root directory (`ESCALE_ROOT`) with a short random name in `/tmp`, hence a daemon, a block of addresses,
///   a table of rules and control groups of its own: tests run side by side. The image `busybox:latest` is in it.
/// - The program is the one in the directory `ESCALE_BIN`, else the one that was built beside the test bundle.
/// - When the body is through, however it ends, what was given to ``onCleanUp(_:_:)`` runs, the latest first; at last
///   `escale system reset --yes`, and then nothing of it may be left on the host (``Leftovers``): what is left fails
///   the test and is removed by force.
/// - A few fixtures at a time (``Gate``), so that the tests' deadlines hold on a small machine.
final class EscaleFixture: Sendable {
    /// `ESCALE_ROOT`.
    let root: String
    /// For the test's files; not seen by Escale unless a test says so.
    let scratch: String
    private let cleanUps = Mutex<[(label: String, work: @Sendable () async throws -> Void)]>([])
    private let knownInstance = Mutex<Instance?>(nil)

    private init() throws {
        let directory = "/tmp/e2e-\(hexadecimal(UInt32.random(in: 0 ... .max)))"
        root = "\(directory)/r"
        scratch = "\(directory)/s"
        try Files.createDirectories(root)
        try Files.createDirectories(scratch)
        onCleanUp("remove \(directory)") { try Files.remove(directory) }
    }

    /// Gives the body an Escale and takes all of it away afterwards.
    ///
    /// - Parameter image: whether to import busybox before, which also starts the daemon.
    static func with(image: Bool = true, _ body: (EscaleFixture) async throws -> Void) async throws {
        try await Gate.shared.pass {
            let fixture = try EscaleFixture()
            fixture.onCleanUp("reset") { [unowned fixture] in try await fixture.reset() }
            var failure: (any Error)?
            do {
                if image { try await fixture.importBusybox() }
                try await body(fixture)
            } catch {
                failure = error
                Issue.record("the daemon's log ends with:\n\(fixture.daemonLog())")
            }
            // Not in this task: it may have been cancelled, and cleaning up has to happen all the same.
            await Task { await fixture.cleanUp() }.value
            if let failure { throw failure }
        }
    }

    /// Has the work done when the test is over, before what was registered earlier.
    func onCleanUp(_ label: String, _ work: @escaping @Sendable () async throws -> Void) {
        cleanUps.withLock { $0.append((label, work)) }
    }

    private func cleanUp() async {
        while let (label, work) = cleanUps.withLock({ $0.popLast() }) {
            do { try await work() } catch { Issue.record("cleaning up (\(label)): \(error)") }
        }
    }

    /// A project in a directory of its own, named like it.
    func project(_ name: String = "app", _ yaml: String? = nil) throws -> TestProject {
        let project = TestProject(fixture: self, name: name, directory: "\(scratch)/\(name)")
        try Files.createDirectories(project.directory)
        if let yaml { try project.write("compose.yaml", yaml) }
        return project
    }

    // MARK: Running escale

    /// Runs `escale` with these words to its end.
    func escale(
        _ words: [String],
        in directory: String? = nil,
        input: String = "",
        environment: [String: String] = [:],
        timeout: Duration = .seconds(60)
    ) async throws -> RunResult {
        try await begin(words, in: directory, input: input, environment: environment).result(within: timeout)
    }

    /// Starts `escale` and leaves it running; it is killed at the latest when the test is over.
    func begin(
        _ words: [String],
        in directory: String? = nil,
        input: String = "",
        environment: [String: String] = [:],
        through wrapper: [String] = []
    ) async throws -> RunningProgram {
        let all = environment.merging(self.environment) { own, _ in own }
        let line = wrapper + ["\(Programs.directory)/escale"] + words
        let program = try await RunningProgram(
            line,
            directory: directory ?? scratch,
            input: input,
            environment: all,
            scratch: scratch
        )
        onCleanUp("end `\(words.joined(separator: " "))`") { try await program.end() }
        return program
    }

    /// What every program of the test gets.
    var environment: [String: String] {
        Command.defaultEnvironment.merging(["ESCALE_ROOT": root, "HOME": "/root"]) { own, _ in own }
    }

    func importBusybox() async throws {
        try await escale(["image", "import", try Programs.busyboxImage(), "busybox:latest"]).ok()
        _ = try await instance()
    }

    /// Puts the root on a file system of its own that holds so much; before anything else is done with it.
    func hasDisk(megabytes: Int) async throws {
        try await run("mount", "-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs", root).ok()
        onCleanUp("unmount \(root)") { [unowned self] in
            try await escale(["system", "reset", "--yes"], timeout: .seconds(90)).ok()
            _ = try await poll(until: { $0.isEmpty }) { HostProcesses.using(self.root) }
            try await EndToEnd.run("umount", "--lazy", root).ok()
        }
    }

    // MARK: The daemon

    /// Has a daemon run that is killed at its Nth entry in the journal (`ESCALE_CRASH_AT`); those that take its place are not.
    func startDaemon(crashingAt entry: Int) async throws -> ProcessIdentity {
        try await killDaemon()
        try await escale(["system", "info"], environment: ["ESCALE_CRASH_AT": "\(entry)"]).ok()
        guard let daemon = daemon() else { throw Unexpected("the daemon is gone before its entry \(entry)") }
        return daemon
    }

    /// What the host knows this Escale by; asks the daemon once.
    func instance() async throws -> Instance {
        if let known = knownInstance.withLock({ $0 }) { return known }
        let info: [String: JSONValue] = try await escale(["system", "info", "--format", "json"]).ok().json()
        let instance = try Instance(pool: info["addressPool"]?.text ?? "")
        knownInstance.withLock { $0 = instance }
        return instance
    }

    /// The daemon's process; `nil` where none runs.
    func daemon() -> ProcessIdentity? {
        HostProcesses.all().first { process in
            process.arguments.first?.hasSuffix("/escaled") == true && process.arguments.contains(root)
        }?.identity
    }

    /// Kills the daemon as a crash would, and returns when it is gone. `false` where none ran.
    @discardableResult
    func killDaemon() async throws -> Bool {
        guard let identity = daemon(), let process = ProcessHandle(identity) else { return false }
        process.signal(SIGKILL)
        try await process.ended()
        return true
    }

    /// The end of what the daemon wrote.
    func daemonLog(lines: Int = 30) -> String {
        let text = (try? Files.readText("\(root)/state/escaled.log")) ?? "(there is none)"
        return text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }

    // MARK: The end

    private func reset() async throws {
        let instance = knownInstance.withLock { $0 }
        if Files.exists("\(root)/state") {
            try await escale(["system", "reset", "--yes"], timeout: .seconds(90)).ok()
        }
        let left = try await poll(until: { $0.isEmpty }) {
            try await Leftovers.find(root: self.root, instance)
        }
        guard !left.isEmpty else { return }
        Issue.record("left on the host after `system reset`:\n\(left.joined(separator: "\n"))")
        try await Leftovers.removeByForce(root: root, instance)
    }
}
