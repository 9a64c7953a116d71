import EscaleCore
import EscaleOCI
import Testing

/// Mounts and namespaces as an OCI runtime reads them.
@Suite struct MountTests {
    private func options(_ mount: ContainerSpec.Mount) throws -> [String]? {
        var spec = plain()
        spec.mounts = [mount]
        return try ReadSpec(RuntimeSpec(spec)).mounts.last { $0.destination == mount.target }?.options
    }

    @Test(arguments: [
        ([], ["nosuid", "nodev", "noexec", "rw", "mode=1777"]),
        (["exec", "uid=33"], ["nosuid", "nodev", "rw", "mode=1777", "exec", "uid=33"]),
        (["suid", "noatime"], ["nodev", "noexec", "rw", "mode=1777", "suid", "noatime"]),
        (["nr_inodes=5", "noexec"], ["nosuid", "nodev", "rw", "mode=1777", "nr_inodes=5", "noexec"]),
    ]) func wordsOfATmpfsTakeThePlaceOfTheUsualOnes(words: [String], expected: [String]) throws {
        var mount = ContainerSpec.Mount(.tmpfs(size: nil, mode: nil), target: "/run")
        mount.options = words
        #expect(try options(mount) == expected)
    }

    @Test func aBindMountHasItsWords() throws {
        var mount = ContainerSpec.Mount(.bind(source: "/src"), target: "/data")
        #expect(try options(mount) == ["rbind", "rprivate", "rw"])
        mount.options = ["bind", "rslave"]
        #expect(try options(mount) == ["bind", "rslave", "rw"])
        mount.readOnly = true
        #expect(try options(mount) == ["bind", "rslave", "ro"])
        mount.isReadOnlyBelow = true
        #expect(try options(mount) == ["bind", "rslave", "rro"])
    }

    @Test(arguments: [
        (nil, .own), (["rbind", "private"], .own), (["rbind", "rslave"], .received), (["rbind", "shared"], .both),
    ] as [([String]?, ContainerSpec.Propagation)]) func propagation(
        words: [String]?, expected: ContainerSpec.Propagation
    ) throws {
        var spec = plain()
        spec.mounts = [.init(.bind(source: "/src"), target: "/data")]
        spec.mounts[0].options = words
        #expect(spec.propagation == expected)
    }

    /// A mount that isn't made yet is none.
    @Test func whatIsNotPreparedIsNoMount() throws {
        let mount = PreparedMount(.layers(["a", "b"]), title: "an image")
        #expect(try options(.init(.prepared(mount), target: "/other")) == nil)
    }

    @Test func sharedMemoryIsReplacedOrLeftOut() throws {
        var spec = plain()
        func shared() throws -> [String] {
            try ReadSpec(RuntimeSpec(spec)).mounts.filter { $0.destination == "/dev/shm" }.map(\.source)
        }
        #expect(try shared() == ["shm"])
        spec.mounts = [.init(.bind(source: "/dev/shm"), target: "/dev/shm")]
        #expect(try shared() == ["/dev/shm"])
        spec.mounts = []
        spec.hasSharedMemory = false
        #expect(try shared() == [])
    }

    @Test func namespacesOfOthersAreNotItsOwn() throws {
        var spec = plain()
        spec.hasCgroupNamespace = true
        spec.namespaces = [.ipc: .host, .pid: .file("/proc/7/ns/pid"), .uts: .host]
        #expect(try ReadSpec(RuntimeSpec(spec)).linux.namespaces.map(\.type) == ["pid", "network", "mount", "cgroup"])
        #expect(try !json(RuntimeSpec(spec)).contains("hostname"))
    }
}
