import EscaleCore
import EscaleSystem
import Glibc
import EscaleTestSupport
import Testing

/// Mounts that only a command, or a thread, sees; and directories that links don't lead out of. Needs root.
@Suite struct NamespaceTests {
    private func mounts(_ path: String) throws -> Bool {
        try Files.readText("/proc/self/mountinfo").contains(" \(path) ")
    }

    private func tmpfs(_ target: String) -> PrivateMount { PrivateMount(source: "tmpfs", target: target, type: "tmpfs") }

    @Test func aMountIsSeenByTheCommandAlone() async throws {
        let scratch = try ScratchDirectory()
        try Files.write(scratch("below"), "host".utf8)
        var command = shell("echo inside > \(scratch.path)/new; ls \(scratch.path); grep -c ' \(scratch.path) ' /proc/self/mountinfo")
        command.namespace = MountNamespace(mounts: [tmpfs(scratch.path)])
        #expect(try await command.run().text == "new\n1\n")
        #expect(try !mounts(scratch.path))
        #expect(try Files.list(scratch.path) == ["below"])
    }

    @Test func itIsSeenByNobodyElseMeanwhile() async throws {
        let scratch = try ScratchDirectory()
        var command = shell("touch \(scratch.path)/there; echo ready; exec sleep 30")
        command.namespace = MountNamespace(mounts: [tmpfs(scratch.path)])
        let (reading, writing) = try FileDescriptor.pipe()
        let child = try await command.blockingSpawn([writing, writing, writing])
        try await Reactor.shared.readable(reading)
        #expect(try Files.list(scratch.path) == [])
        #expect(try !mounts(scratch.path))
        child.signal(SIGKILL)
        #expect(try await child.wait() == 128 + SIGKILL)
    }

    @Test func mountsAreMadeInOrderAndRelativeToTheDirectory() async throws {
        let scratch = try ScratchDirectory()
        for name in ["lower/a", "lower/b", "merged", "upper", "work"] { try Files.createDirectories(scratch(name)) }
        try Files.write(scratch("lower/a/first"), "a".utf8)
        try Files.write(scratch("lower/b/second"), "b".utf8)
        // upper and work have to be on something that overlayfs takes, so the whole is read-only.
        var command = Command("/bin/ls", [scratch("merged")])
        command.namespace = MountNamespace(
            mounts: [
                PrivateMount(
                    source: "overlay", target: scratch("merged"), type: "overlay", flags: PrivateMount.readOnly,
                    data: "lowerdir=a:b")
            ], directory: scratch("lower"))
        #expect(try await command.run().text == "first\nsecond\n")
    }

    @Test func aMountPointCanBeHidden() async throws {
        var command = shell("grep -c ' /proc ' /proc/self/mountinfo || ls /proc | wc -l")
        command.namespace = MountNamespace(unmounts: ["/proc", "/nowhere/at-all", "/tmp/not-a-mount-point"])
        #expect(try await command.run().text.hasSuffix("0\n"))
        #expect(Files.exists("/proc/self/stat"))
    }

    @Test func aMountThatFailsIsTheFailedStage() async throws {
        var command = Command("/bin/true")
        command.namespace = MountNamespace(mounts: [tmpfs("/nowhere/at-all")])
        let error = await #expect(throws: EscaleError.self) { try await command.run() }
        #expect(error?.message == "can't mount tmpfs on /nowhere/at-all: No such file or directory")
    }

    // MARK: Threads

    @Test func aThreadHasMountsOfItsOwn() async throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path
        let seen = try await MountNamespace(mounts: [tmpfs(path)]).run { () throws -> [String] in
            try Files.write("\(path)/inside", [])
            return try Files.list(path)
        }
        #expect(seen == ["inside"])
        #expect(try Files.list(path) == [])
        #expect(try !mounts(path))
    }

    @Test func aThreadsDirectoryIsItsOwn() async throws {
        let scratch = try ScratchDirectory()
        try Files.write(scratch("here"), [])
        let before = Files.linkTarget("/proc/self/cwd")
        let found = try await MountNamespace(directory: scratch.path).run { Files.exists("here") }
        #expect(found)
        #expect(Files.linkTarget("/proc/self/cwd") == before)
    }

    @Test func errorsOfTheWorkAndOfTheMountsComeOut() async throws {
        let failed = await #expect(throws: EscaleError.self) {
            try await MountNamespace().run { throw EscaleError(.invalidInput, "no") }
        }
        #expect(failed?.code == .invalidInput)
        let mount = await #expect(throws: EscaleError.self) {
            try await MountNamespace(mounts: [tmpfs("/nowhere/at-all")]).run {}
        }
        #expect(mount?.message == "can't mount tmpfs on /nowhere/at-all: No such file or directory")
    }

    // MARK: Rooted

    /// A tree with links that lead out: absolute, by dots, in a chain.
    private func tree() throws -> ScratchDirectory {
        let scratch = try ScratchDirectory()
        try Files.createDirectories(scratch("root/etc/real"))
        try Files.createDirectories(scratch("outside"))
        try Files.write(scratch("root/etc/name"), "inside".utf8)
        for (name, target) in [
            ("absolute", "/etc"), ("dots", "../../../../../../../etc"), ("chain", "dots/real/../../absolute"),
            ("out", scratch("outside")), ("magic", "/proc/self/root"),
        ] {
            try check("link") { symlink(target, scratch("root/\(name)")) }
        }
        return scratch
    }

    @Test(arguments: ["absolute", "dots", "chain", "/absolute", "../../absolute", "etc/../../etc"])
    func linksStayInsideTheRoot(directory: String) async throws {
        let scratch = try tree()
        let result = try await Command("/bin/cat", ["name"], directory: directory, directoryRoot: scratch("root")).run()
        #expect(result.text == "inside")
    }

    @Test(arguments: ["out", "magic", "nowhere"]) func whatIsOutsideIsNotThere(directory: String) async throws {
        let scratch = try tree()
        let error = await #expect(throws: EscaleError.self) {
            try await Command("/bin/pwd", directory: directory, directoryRoot: scratch("root")).run()
        }
        #expect(error?.code.rawValue == "system.not-found")
    }

    @Test func aRootedDirectoryOpensOnlyWhatIsInside() throws {
        let scratch = try tree()
        let root = try RootedDirectory(scratch("root"))
        for path in ["absolute/name", "dots/name", "/etc/name", "../../etc/name", "chain/name"] {
            #expect(try root.open(path, O_RDONLY).read() == Array("inside".utf8))
        }
        #expect(throws: EscaleError.self) { try root.open("out/file", O_WRONLY | O_CREAT) }
        _ = try root.open("etc/new", O_WRONLY | O_CREAT, mode: 0o600)
        #expect(Files.exists(scratch("root/etc/new")))
        #expect(try Files.list(scratch("outside")) == [])
    }
}
