import EscaleCompose
import EscaleCore
import FoundationEssentials
import Testing

/// What the daemon stored before the model knew every attribute.
@Suite struct StoredProjectTests {
    private let old = """
        {"name": "shop", "workingDirectory": "/srv", "files": ["/srv/compose.yaml"], "keptReleases": 10,
         "networks": [{"key": "default", "name": "shop_default", "isInternal": false, "isExternal": false, "labels": {}}],
         "volumes": [{"key": "data", "name": "shop_data", "isExternal": false, "labels": {}}],
         "secrets": [{"key": "password", "file": "/srv/password.txt"}],
         "services": [SERVICE]}
        """

    /// A service as it was encoded then: what was not there yet is not in it.
    private func service() throws -> String {
        var service = Service(name: ServiceName(rawValue: "web"))
        service.image = "x"
        service.networks = [NetworkAttachment(network: "default")]
        service.secrets = [SharedFileMount(source: "password", target: "/run/secrets/password")]
        service.mounts = [Mount(.volume(key: "data"), target: "/data")]
        service.ports = [PortMapping(hostPort: 80, containerPort: 80)]
        return String(decoding: try JSONEncoder().encode(service), as: UTF8.self)
    }

    @Test func itIsReadAsItWas() throws {
        let text = old.replacing("SERVICE", with: try service())
        let project = try JSONDecoder().decode(Project.self, from: Data(text.utf8))
        #expect(project.secrets == [SharedFile(key: "password", file: "/srv/password.txt")])
        #expect(project.configs == nil && project.models == nil)
        #expect(project.services.first?.secrets.first?.source == "password")
    }

    /// Otherwise every container would be made anew after an upgrade: versions are told apart by what is encoded.
    @Test func aServiceWithoutNewAttributesIsEncodedAsItWas() throws {
        let text = try service()
        #expect(text.contains(#""secret":"password""#))
        for name in [
            "configs", "resources", "deploy", "security", "namespaces", "names", "options", "uid", "isOfHost",
        ] {
            #expect(!text.contains("\"\(name)\""), "\(name)")
        }
    }
}
