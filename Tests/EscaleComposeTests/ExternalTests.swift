import EscaleCompose
import EscaleCore
import FoundationEssentials
import Testing

/// What is left of services that somebody else runs.
@Suite struct ExternalTests {
    private func project(_ external: String) throws -> Project {
        let text = """
            services:
              api: {image: a, depends_on: [db]}
              db: {image: d, networks: {default: {aliases: [database]}}, volumes: ["v:/v"]}
              debug: {image: x, profiles: [debug]}
            volumes: {v: {}}
            x-escale: {external: {\(external)}}
            """
        let loader = ComposeLoader(workingDirectory: "/shop", fileSystem: .memory(["/shop/compose.yaml": text]))
        return try #require(loader.load().project)
    }

    @Test func theyAreNamesAndNoServices() throws {
        let whole = try project("db: {host: db.example.org, port: 5432}")
        #expect(whole.elsewhere.isEmpty)
        let here = whole.runHere
        #expect(here.services.map(\.name.rawValue) == ["api"])
        let name = ServiceName(rawValue: "db")
        #expect(here.elsewhere(name)?.networks == [NetworkAttachment(network: "default", aliases: ["database"])])
        #expect(here.elsewhere(name)?.address == "db.example.org:5432")
        #expect(here.closure(of: []) == [ServiceName(rawValue: "api")])
        #expect(here.volumes(of: here.services).isEmpty)
        // Taken once, and as the daemon keeps it.
        #expect(here.runHere == here)
        #expect(try JSONDecoder().decode(Project.self, from: JSONEncoder().encode(here)) == here)
    }

    @Test func oneWithoutAnActiveProfileIsNotThere() throws {
        let here = try project("debug: {host: \"2001:db8::1\", port: 80}").runHere
        #expect(here.elsewhere.isEmpty)
        #expect(here.services.count == 2)
        #expect(here.external?.first?.address == "[2001:db8::1]:80")
    }

    /// As an older command line sends it, which had the service run here all the same.
    @Test func aServiceThatIsThereIsNotElsewhere() throws {
        var here = try project("db: {host: db.example.org, port: 5432}").runHere
        here.services.append(Service(name: ServiceName(rawValue: "db")))
        #expect(here.elsewhere.isEmpty)
    }
}
