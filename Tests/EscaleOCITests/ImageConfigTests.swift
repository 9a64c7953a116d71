import EscaleCore
import EscaleOCI
import FoundationEssentials
import Testing

@Suite struct ImageConfigTests {
    /// As `docker image inspect` and registries have it, with nulls and unknown members.
    private let docker = """
        {"architecture":"amd64","os":"linux","created":"2025-05-20T10:00:00Z","docker_version":"24",
         "config":{"Hostname":"","User":"","ExposedPorts":{"80/tcp":{},"443/tcp":{}},"Env":["PATH=/bin","A=b=c"],
          "Cmd":["nginx","-g"],"Entrypoint":null,"Volumes":null,"WorkingDir":"","Labels":null,"OnBuild":null,
          "StopSignal":"SIGQUIT","Healthcheck":{"Test":["CMD-SHELL","curl -f localhost"],"Interval":5000000000,
          "Timeout":0,"StartPeriod":1500000000,"Retries":3}},
         "rootfs":{"type":"layers","diff_ids":["sha256:\(String(repeating: "0", count: 64))"]},
         "history":[{"created":"2025-05-20T10:00:00Z","created_by":"ADD file","empty_layer":true}]}
        """

    @Test func readsDockersConfiguration() throws {
        let config = try JSONDecoder().decode(ImageConfig.self, from: Data(docker.utf8))
        #expect(config.config.user == nil)
        #expect(config.config.exposedPorts == ["80/tcp", "443/tcp"])
        #expect(config.config.environmentByName == ["PATH": "/bin", "A": "b=c"])
        #expect(config.config.command == ["nginx", "-g"])
        #expect(config.config.entrypoint == nil)
        #expect(config.config.workingDirectory == nil)
        #expect(config.config.healthcheck?.test == .shell("curl -f localhost"))
        #expect(config.config.healthcheck?.interval == .seconds(5))
        #expect(config.config.healthcheck?.timeout == nil)
        #expect(config.config.healthcheck?.startPeriod == .milliseconds(1500))
        #expect(config.rootfs.layers.count == 1)
        #expect(config.history.first?.emptyLayer == true)
    }

    @Test func writesWhatItReads() throws {
        let config = try JSONDecoder().decode(ImageConfig.self, from: Data(docker.utf8))
        let again = try JSONDecoder().decode(ImageConfig.self, from: JSONEncoder().encode(config))
        #expect(again == config)
    }

    @Test func variablesKeepTheirPlace() {
        var defaults = ImageDefaults()
        defaults.setEnvironment("A", "1")
        defaults.setEnvironment("B", "2")
        defaults.setEnvironment("A", "3")
        #expect(defaults.environment == ["A=3", "B=2"])
        #expect(defaults.environmentValue("B") == "2")
    }
}
