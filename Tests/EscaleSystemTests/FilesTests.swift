import EscaleCore
import EscaleSystem
import Glibc
import EscaleTestSupport
import Testing

/// Whole files and whole trees.
@Suite struct FilesTests {
    // MARK: Reading and writing

    @Test func whatIsWrittenIsRead() throws {
        let scratch = try ScratchDirectory()
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try Files.write(scratch("file"), bytes, mode: 0o600)
        #expect(try Files.read(scratch("file")) == bytes)
        try Files.write(scratch("file"), [])
        #expect(try Files.read(scratch("file")) == [])
        var info = stat()
        #expect(stat(scratch("file"), &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
    }

    @Test func filesUnderProcAreReadWhole() throws {
        #expect(try Files.readText("/proc/self/status").contains("\nPid:\t\(getpid())\n"))
        #expect(try Files.readText("/proc/self/cmdline").contains("\0"))
        #expect(try Files.readText("/proc/self/mountinfo").hasSuffix("\n"))
    }

    @Test func whatIsNoTextIsRepaired() throws {
        let scratch = try ScratchDirectory()
        try Files.write(scratch("file"), [0x61, 0xFF, 0x62])
        #expect(try Files.readText(scratch("file")) == "a\u{FFFD}b")
    }

    @Test func aMissingFileIsNamed() throws {
        let error = #expect(throws: EscaleError.self) { try Files.read("/nowhere/at-all") }
        #expect(error?.code.rawValue == "system.not-found")
        #expect(error?.message == "can't open /nowhere/at-all: No such file or directory")
    }

    // MARK: Replacing

    @Test(arguments: [false, true]) func readersSeeTheOldTextOrTheNew(sync: Bool) async throws {
        let scratch = try ScratchDirectory()
        let path = scratch("file")
        try Files.write(path, [UInt8](repeating: 0, count: 100_000))
        let done = Shared(false)
        try await withThrowingTaskGroup { group in
            for _ in 0..<2 {
                group.addTask {
                    try await blocking {
                        while !done.value {
                            let bytes = try Files.read(path)
                            #expect(bytes.count == 100_000)
                            #expect(bytes.first == bytes.last)
                        }
                    }
                }
            }
            try await blocking {
                for round in 1...(sync ? 5 : 30) {
                    try Files.replace(path, [UInt8](repeating: UInt8(round), count: 100_000), sync: sync)
                }
                done.change { $0 = true }
            }
            try await group.waitForAll()
        }
        #expect(try Files.list(scratch.path) == ["file"])
    }

    @Test func replacingLeavesNothingWhereItFails() throws {
        let scratch = try ScratchDirectory()
        try Files.createDirectories(scratch("taken/inside"))
        #expect(throws: EscaleError.self) { try Files.replace(scratch("taken"), [1]) }
        #expect(try Files.list(scratch.path) == ["taken"])
        #expect(throws: EscaleError.self) { try Files.replace(scratch("nowhere/file"), [1]) }
    }

    @Test func replacingReplacesALinkAndNotItsTarget() throws {
        let scratch = try ScratchDirectory()
        try Files.write(scratch("target"), [1])
        try check("link") { symlink("target", scratch("link")) }
        try Files.replace(scratch("link"), [2], sync: true)
        #expect(try Files.read(scratch("target")) == [1])
        #expect(try Files.read(scratch("link")) == [2])
        #expect(Files.linkTarget(scratch("link")) == nil)
    }

    // MARK: Directories

    @Test func directoriesAreMadeWithThoseAbove() throws {
        let scratch = try ScratchDirectory()
        try Files.createDirectories(scratch("a/b/c"))
        try Files.createDirectories(scratch("a/b/c"))
        #expect(Files.isDirectory(scratch("a/b/c")))
        try Files.write(scratch("file"), [])
        #expect(throws: EscaleError.self) { try Files.createDirectories(scratch("file")) }
        #expect(throws: EscaleError.self) { try Files.createDirectories(scratch("file/below")) }
    }

    @Test func aDirectoryIsListedInOrder() throws {
        let scratch = try ScratchDirectory()
        for name in ["b", "a", ".c", "ü"] { try Files.write(scratch(name), []) }
        #expect(try Files.list(scratch.path) == [".c", "a", "b", "ü"])
        #expect(try Files.list(scratch("nowhere")) == [])
        #expect(throws: EscaleError.self) { try Files.list(scratch("a")) }
    }

    @Test func linksAreRead() throws {
        let scratch = try ScratchDirectory()
        try check("link") { symlink("some/where", scratch("link")) }
        #expect(Files.linkTarget(scratch("link")) == "some/where")
        #expect(Files.linkTarget(scratch.path) == nil)
        #expect(!Files.exists(scratch("link")))
    }

    // MARK: Removing

    @Test func aTreeIsRemovedAndNoLinkFollowed() throws {
        let scratch = try ScratchDirectory()
        try Files.createDirectories(scratch("kept/inside"))
        try Files.write(scratch("kept/inside/file"), [1])
        try Files.createDirectories(scratch("doomed/deep/er"))
        try Files.write(scratch("doomed/deep/file"), [1])
        for name in ["doomed/link", "doomed/deep/link"] { try check("link") { symlink(scratch("kept"), scratch(name)) } }
        try check("link") { symlink("/nowhere", scratch("doomed/dangling")) }
        try check("make a pipe") { mkfifo(scratch("doomed/pipe"), 0o600) }
        try Files.remove(scratch("doomed"))
        #expect(try Files.list(scratch.path) == ["kept"])
        #expect(try Files.read(scratch("kept/inside/file")) == [1])
        try check("link") { symlink(scratch("kept"), scratch("link")) }
        try Files.remove(scratch("link"))
        #expect(Files.exists(scratch("kept/inside/file")))
    }

    @Test func whatIsNotThereIsRemovedAlready() throws {
        let scratch = try ScratchDirectory()
        try Files.remove(scratch("nowhere"))
        try Files.write(scratch("file"), [])
        try Files.remove(scratch("file/below"))
        try Files.remove(scratch("file"))
        #expect(try Files.list(scratch.path) == [])
    }

    @Test func namesInNoEncodingAreRemoved() throws {
        let scratch = try ScratchDirectory()
        try Files.createDirectories(scratch("doomed"))
        let directory = try FileDescriptor(scratch("doomed"), O_RDONLY | O_DIRECTORY)
        for name: [CChar] in [[-1, -2, 0], [0x64, -1, 0]] {
            try check("make a directory") { mkdirat(directory.number, name, 0o755) }
            let inner = try check("open") { openat(directory.number, name, O_RDONLY) }
            let file = try check("make a file") { openat(inner, [-28, 0] as [CChar], O_WRONLY | O_CREAT, 0o600) }
            close(file)
            close(inner)
        }
        try Files.remove(scratch("doomed"))
        #expect(!Files.exists(scratch("doomed")))
    }

    @Test func pathsThatAreTooLongAreRemoved() throws {
        let scratch = try ScratchDirectory()
        try Files.createDirectories(scratch("doomed"))
        let name = String(repeating: "long", count: 50)
        var directory = try check("open") { open(scratch("doomed"), O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        for _ in 0..<120 {
            try check("make a directory") { mkdirat(directory, name, 0o755) }
            let next = try check("open") { openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            close(directory)
            directory = next
        }
        close(directory)
        try Files.remove(scratch("doomed"))
        #expect(!Files.exists(scratch("doomed")))
    }

    @Test func manyFilesAreRemoved() throws {
        let scratch = try ScratchDirectory()
        for directory in 0..<10 {
            try Files.createDirectories(scratch("doomed/\(directory)"))
            for file in 0..<200 { try Files.write(scratch("doomed/\(directory)/\(file)"), []) }
        }
        try Files.remove(scratch("doomed"))
        #expect(!Files.exists(scratch("doomed")))
    }

    @Test func aMountPointStays() async throws {
        let scratch = try ScratchDirectory()
        try Files.createDirectories(scratch("doomed/mounted"))
        let path = scratch.path
        let mount = PrivateMount(source: "tmpfs", target: "\(path)/doomed/mounted", type: "tmpfs")
        let error = await #expect(throws: EscaleError.self) {
            try await MountNamespace(mounts: [mount]).run { try Files.remove("\(path)/doomed") }
        }
        #expect(error?.message.contains("doomed") == true)
        #expect(Files.exists(scratch("doomed/mounted")))
    }
}
