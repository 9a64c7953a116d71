import EscaleBuild
import EscaleCore
import EscaleImages
import EscaleOCI
import EscaleSystem
import Glibc
import Synchronization
import Testing

/// Runs a step's command in the mounted overlay with chroot: enough of a container for the builder's tests.
struct ChrootRunner: BuildRunner {
    let layersDirectory: String
    let runs = Recorder<BuildRun>()

    func run(_ step: BuildRun, output: @escaping @Sendable ([UInt8]) async -> Void) async throws -> Int32 {
        runs.add(step)
        let root = step.upper + "/../merged"
        let overlay = PrivateMount(source: "overlay", target: root, type: "overlay", data: step.overlayData)
        let command = Command(
            "/usr/sbin/chroot",
            [root] + step.arguments,
            environment: step.environment,
            namespace: MountNamespace(mounts: [overlay], directory: layersDirectory)
        )
        return try await command.run(onOutput: output).status
    }
}

/// Collects values from anywhere.
final class Recorder<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    func add(_ value: Value) { values.withLock { $0.append(value) } }
    var all: [Value] { values.withLock { $0 } }
}

/// A store with a small base image, `base`, that has a static shell, and a build context.
final class BuildFixture: Sendable {
    let path: String
    let store: ImageStore
    let runner: ChrootRunner
    let builder: Builder
    let events = Recorder<BuildEvent>()

    init() async throws {
        path = "/tmp/escale-build-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
        store = try ImageStore(root: path + "/store")
        runner = ChrootRunner(layersDirectory: store.layersDirectory)
        builder = Builder(store: store, runner: runner)
        try Files.createDirectories(context)
        let area = try store.makeWorkArea()
        for directory in ["usr/bin", "etc", "tmp", "usr/lib64"] {
            try Files.createDirectories("\(area.upper)/\(directory)")
        }
        #expect(chmod(area.upper + "/tmp", 0o1777) == 0)
        for (name, target) in [("bin", "usr/bin"), ("lib64", "usr/lib64")] {
            #expect(symlink(target, "\(area.upper)/\(name)") == 0)
        }
        try Files.write(
            area.upper + "/etc/passwd",
            Array("root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\n".utf8)
        )
        try Files.write(area.upper + "/etc/group", Array("root:x:0:\napp:x:1001:\n".utf8))
        // The host's shell with what it is linked to: no busybox needed.
        for tool in ["sh", "cat", "rm", "ls", "mkdir", "ln"] {
            try Self.install("/bin/\(tool)", into: area.upper)
        }
        let layer = try #require(try await store.commitLayer(area.upper))
        store.discard(area)
        var config = ImageConfig(created: Timestamp(nanoseconds: 0), architecture: hostArchitecture())
        config.config = .standard
        config.config.command = ["base-command"]
        _ = try await store.createImage(config, layers: [layer], references: [ImageReference("base")])
    }

    deinit { try? Files.remove(path) }

    var context: String { path + "/context" }

    private static func install(_ tool: String, into root: String) throws {
        var files = [tool]
        let libraries = [
            "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib/x86_64-linux-gnu/libselinux.so.1",
            "/lib/x86_64-linux-gnu/libpcre2-8.so.0",
        ]
        files += libraries
        for file in files where !Files.exists(root + file) {
            let target = root + file
            try Files.createDirectories(String(target[..<(target.lastIndex(of: "/") ?? target.startIndex)]))
            try Files.write(target, try Files.read(file), mode: 0o755)
        }
    }

    func file(_ name: String, _ text: String, mode: UInt32 = 0o644) throws {
        let full = "\(context)/\(name)"
        try Files.createDirectories(String(full[..<(full.lastIndex(of: "/") ?? full.startIndex)]))
        try Files.write(full, Array(text.utf8), mode: mode)
    }

    @discardableResult
    func build(
        _ dockerfile: String,
        target: String? = nil,
        arguments: [String: String] = [:],
        name: String = "app"
    ) async throws -> StoredImage {
        try file("Dockerfile", dockerfile)
        let events = events
        return try await builder.build(
            BuildRequest(
                contextDirectory: context,
                target: target,
                arguments: arguments,
                references: [ImageReference(name)]
            ),
            events: { events.add($0) }
        ).image
    }

    func read(_ path: String, _ image: StoredImage) throws -> String? {
        try store.readFile(path, in: image.layers)
    }

    /// How often a command ran.
    var runs: Int { runner.runs.all.count }
}

func code(_ error: any Error) -> String? { (error as? EscaleError)?.code.rawValue }
