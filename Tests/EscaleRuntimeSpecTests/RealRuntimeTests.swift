import EscaleCore
import EscaleEngine
import EscaleOCI
import EscaleSystem
import FoundationEssentials
import Glibc
import Testing

/// What the real runtimes make of a generated bundle. As root; one container at a time.
@Suite(.serialized) struct RealRuntimeTests {
    /// A bundle with a root that has nothing but busybox, and what is left of it taken away.
    private struct Bundle {
        let directory: String
        let facts: HostFacts
        let id: String

        init(runtime: String) throws {
            id = "escale-test-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
            directory = "/tmp/\(id)"
            facts = try HostFacts.detect(environment: ["ESCALE_RUNTIME": runtime])
            for path in ["rootfs/bin", "rootfs/etc", "rootfs/home", "state", "volume"] {
                try Files.createDirectories("\(directory)/\(path)")
            }
            try Files.write("\(directory)/rootfs/bin/busybox", try Files.read("/bin/busybox"), mode: 0o755)
            try Files.write("\(directory)/state/hosts", "127.0.0.1 localhost\n".utf8)
        }

        private func runtime(_ arguments: [String]) -> Command {
            Command(
                facts.runtime, ["--root", "\(directory)/oci"] + arguments,
                namespace: MountNamespace(unmounts: facts.hiddenMounts))
        }

        /// Runs the shell line in the container to its end.
        func run(_ line: String, _ change: (inout ContainerSpec) throws -> Void = { _ in }) async throws -> CommandResult {
            var spec = ContainerSpec(
                id: ContainerID(rawValue: id), arguments: ["/bin/busybox", "sh", "-c", line],
                environment: ["PATH": "/bin", "GREETING": "hello"], hostname: "web")
            try change(&spec)
            let runtimeSpec = RuntimeSpec(
                spec, rootPath: "\(directory)/rootfs", cgroup: "/escale-test/\(id)",
                files: ["/etc/hosts": "\(directory)/state/hosts"], profile: facts.seccomp)
            try Files.write("\(directory)/config.json", try JSONEncoder().encode(runtimeSpec))
            return try await runtime(["run", "--bundle", directory, id]).run(timeout: .seconds(60))
        }

        func cleanUp() async throws {
            _ = try await runtime(["delete", "--force", id]).run(timeout: .seconds(60))
            for controller in try Files.list("/sys/fs/cgroup") {
                // Gone already where the runtime has taken it away; the parent stays while another test uses it.
                rmdir("/sys/fs/cgroup/\(controller)/escale-test/\(id)")
                rmdir("/sys/fs/cgroup/\(controller)/escale-test")
            }
            try Files.remove(directory)
        }
    }

    private func bundle(_ runtime: String, _ body: (Bundle) async throws -> Void) async throws {
        let bundle = try Bundle(runtime: runtime)
        do {
            try await body(bundle)
        } catch {
            try await bundle.cleanUp()
            throw error
        }
        try await bundle.cleanUp()
    }

    private static let runtimes = ["crun", "runc"]

    @Test(arguments: runtimes) func aPlainContainerRuns(runtime: String) async throws {
        try await bundle(runtime) { bundle in
            let result = try await bundle.run(
                """
                b=busybox; echo $GREETING; $b hostname; $b id -u; $b cat /etc/hosts; $b ls /sys/class/net
                $b cat /proc/sys/net/ipv4/ip_unprivileged_port_start
                $b touch /written && echo writable; $b grep CapEff /proc/self/status; echo $$
                """)
            #expect(
                result.text == """
                    hello
                    web
                    0
                    127.0.0.1 localhost
                    lo
                    0
                    writable
                    CapEff:\t00000000a80425fb
                    1

                    """)
            #expect(result.status == 0)
        }
    }

    @Test(arguments: runtimes) func theExitCodeComesThrough(runtime: String) async throws {
        try await bundle(runtime) { bundle in
            let result = try await bundle.run("exit 42")
            #expect(result.status == 42)
        }
    }

    @Test(arguments: runtimes) func aHardenedContainerIsHard(runtime: String) async throws {
        try await bundle(runtime) { bundle in
            let result = try await bundle.run(
                """
                b=busybox; $b touch /x 2>/dev/null || echo root is read-only
                $b touch /etc/hosts 2>/dev/null || echo hosts is read-only
                $b touch /tmp/x && echo tmp is writable; $b stat -c %a /tmp
                $b touch /data/nested/x && echo nested is writable; $b touch /data/x 2>/dev/null || echo data is read-only
                $b grep CapEff /proc/self/status; $b id -u; $b id -G
                $b unshare -m $b true 2>/dev/null || echo no new namespaces
                $b nc -l -p 80 & $b sleep 0.1; $b kill $! && echo port 80 is open to all
                """
            ) { spec in
                spec.user = 1000
                spec.group = 1000
                spec.additionalGroups = [20]
                spec.readOnlyRoot = true
                spec.capabilities = []
                spec.mounts = [
                    .init(.tmpfs(size: nil, mode: nil), target: "/data/nested"),
                    .init(.bind(source: "\(bundle.directory)/volume"), target: "/data", readOnly: true),
                    .init(.tmpfs(size: ByteCount(compose: "1m"), mode: nil), target: "/tmp"),
                ]
                try Files.createDirectories("\(bundle.directory)/rootfs/data")
                // runc 1.1 gives a tmpfs the mode of what it covers, whatever its own says.
                for path in ["rootfs/tmp", "volume/nested"] {
                    try Files.createDirectories("\(bundle.directory)/\(path)")
                    chmod("\(bundle.directory)/\(path)", 0o1777)
                }
            }
            #expect(
                result.text == """
                    root is read-only
                    hosts is read-only
                    tmp is writable
                    1777
                    nested is writable
                    data is read-only
                    CapEff:\t0000000000000000
                    1000
                    1000 20
                    no new namespaces
                    port 80 is open to all

                    """)
        }
    }

    @Test(arguments: runtimes) func aCapabilityOpensTheSystemCall(runtime: String) async throws {
        try await bundle(runtime) { bundle in
            let line = "busybox unshare -m busybox true 2>/dev/null && echo may || echo may not"
            #expect(try await bundle.run(line).text == "may not\n")
            let admin = try await bundle.run(line) { spec in
                spec.capabilities = try Capabilities.resolved(adding: ["SYS_ADMIN"], dropping: [])
            }
            #expect(admin.text == "may\n")
        }
    }

    @Test(arguments: runtimes) func anInitIsTheFirstProcess(runtime: String) async throws {
        try await bundle(runtime) { bundle in
            let program = try #require(bundle.facts.initProgram)
            let result = try await bundle.run("busybox cat /proc/1/cmdline | busybox tr '\\0' ' '; [ $$ != 1 ] && echo; exit 7") {
                $0.initProgram = program
            }
            #expect(result.text.hasPrefix("/dev/init -- /bin/busybox sh -c"))
            #expect(result.status == 7)
        }
    }

    @Test(arguments: runtimes) func aMissingProgramIsSaid(runtime: String) async throws {
        try await bundle(runtime) { bundle in
            let result = try await bundle.run("") { $0.arguments = ["/no/such/program"] }
            #expect(result.status != 0)
            #expect(result.text.contains("/no/such/program"))
        }
    }
}
