import EscaleCore
import EscaleEngine
import EscaleSystem
import Testing

/// What this host offers.
@Suite struct HostFactsTests {
    @Test func programsAreFoundInTheUsualPlaces() {
        #expect(HostFacts.program("sh") == "/usr/bin/sh")
        #expect(HostFacts.program("/bin/sh") == "/bin/sh")
        #expect(HostFacts.program("no-such-program") == nil)
        #expect(HostFacts.program("/no/such/program") == nil)
    }

    @Test func aRuntimeIsChosen() throws {
        #expect(try HostFacts.detect(environment: [:]).runtime.hasSuffix("/crun"))
        #expect(try HostFacts.detect(environment: ["ESCALE_RUNTIME": "runc"]).runtime.hasSuffix("/runc"))
    }

    @Test func aRuntimeThatIsNotThereNamesThePackage() {
        let error = #expect(throws: EscaleError.self) { try HostFacts.detect(environment: ["ESCALE_RUNTIME": "no-such"]) }
        #expect(error?.code.rawValue == "host.missing-package")
        #expect(error?.hint == "apt-get install crun")
    }

    @Test func onlyAHybridHierarchyIsHidden() throws {
        let facts = try HostFacts.detect(environment: [:])
        let isHybrid = Files.exists("/sys/fs/cgroup/unified/cgroup.controllers")
        #expect(facts.hiddenMounts == (isHybrid ? ["/sys/fs/cgroup/unified"] : []))
        #expect((facts.cgroups == .v2) == Files.exists("/sys/fs/cgroup/cgroup.controllers"))
    }
}
