import EscaleCompose
import EscaleCore
import EscaleYAML
import Synchronization
import Testing

/// What a load tells besides the project: where values come from, which variables and profiles there are.
@Suite struct LoadResultTests {
    private func loader(_ files: [String: String], of names: [String] = []) -> ComposeLoader {
        let texts = Dictionary(uniqueKeysWithValues: files.map { ("/p/\($0.key)", $0.value) })
        return ComposeLoader(files: names, workingDirectory: "/p", fileSystem: .memory(texts))
    }

    private func story(_ result: LoadResult, _ path: String) -> [String] {
        result.history[path].map {
            "\($0.reason.rawValue) \($0.position?.description ?? "-") \($0.value ?? "-")"
        }
    }

    @Test func noVariableHoldsANUL() {
        let result = loader(["compose.yaml": "services: {web: {image: $A}}\n", ".env": "A=x\0y\n"]).load()
        #expect(result.diagnostics.first?.code.rawValue == "compose.env-file.unreadable")
        #expect(result.diagnostics.first?.message.contains("NUL") == true, "\(result.diagnostics)")
    }

    @Test func theHistoryTellsWhichValueTookWhosePlace() {
        var loader = loader(
            [
                "a.yaml": "services:\n  web:\n    image: x:${TAG}\n    ports: ['80:80']\n    user: '1'\n",
                "b.yaml": "services:\n  web:\n    image: y\n    ports: ['80:80']\n    user: !reset\n",
                "c.yaml": "services:\n  web:\n    image: z:${TAG}\n",
            ],
            of: ["a.yaml", "b.yaml", "c.yaml"]
        )
        loader.environment["TAG"] = "1"
        let result = loader.load()
        #expect(
            story(result, "services.web.image") == [
                "file a.yaml:3:12 x:${TAG}", "variable a.yaml:3:12 x:1", "merge b.yaml:3:12 y",
                "merge c.yaml:3:12 z:${TAG}", "variable c.yaml:3:12 z:1",
            ]
        )
        #expect(story(result, "services.web.user") == ["file a.yaml:5:11 1", "reset b.yaml:5:11 -"])
        #expect(story(result, "services.web.ports").first == "file a.yaml:4:13 80:80")
        #expect(story(result, "services.web.ports[0]") == ["merge b.yaml:4:13 80:80"])
        #expect(story(result, "services.none").isEmpty)
        #expect(result.history.paths == ["services.web.image", "services.web.ports", "services.web.user"])
    }

    @Test func theHistoryKnowsIncludeAndExtends() {
        let result = loader([
            "compose.yaml":
                "include: [i.yaml]\nservices: {web: {extends: {file: e.yaml, service: s}, labels: {a.b: c}}}\n",
            "i.yaml": "services: {db: {image: i}}\n",
            "e.yaml": "services: {s: {image: e}}\n",
        ]).load()
        #expect(story(result, "services.web.image") == ["extends e.yaml:1:23 e"])
        #expect(story(result, "services.web").first == "extends compose.yaml:2:27 -")
        #expect(story(result, "services.db.image") == ["include i.yaml:1:24 i"])
        #expect(story(result, "services.db").first == "include compose.yaml:1:11 i.yaml")
        #expect(story(result, "services.web.labels.a.b") == ["file compose.yaml:2:69 c"])
        #expect(result.files == ["/p/compose.yaml", "/p/e.yaml", "/p/i.yaml"])
        #expect(result.project?.files == ["/p/compose.yaml"])
    }

    @Test func variablesAreListedWithWhatTheFilesSayOfThem() {
        var loader = loader([
            "compose.yaml":
                "services: {web: {image: '${A:-a${B}}${C?say}${D:+d}$E', command: '$A ${C-c} $$F'}}\n"
        ])
        loader.interpolates = false
        let result = loader.load()
        #expect(result.project == nil && result.diagnostics.isEmpty)
        #expect(
            result.variables == [
                VariableUse(name: "A", defaultValue: "a${B}"), VariableUse(name: "B"),
                VariableUse(name: "C", isRequired: true, defaultValue: "c"),
                VariableUse(name: "D", alternateValue: "d"), VariableUse(name: "E"),
            ]
        )
    }

    @Test func theEnvironmentIsTheShellsAndTheFiles() {
        var loader = loader(["compose.yaml": "services: {web: {image: x}}\n", ".env": "A=file\r\nB=file\r\n"])
        loader.environment = ["A": "shell"]
        #expect(loader.load().environment == ["A": "shell", "B": "file", "COMPOSE_PROJECT_NAME": "p"])
    }

    @Test func profilesAndTheServicesWithoutAnActiveOneAreListed() {
        var loader = loader([
            "compose.yaml": """
            services: {a: {image: x}, b: {image: x, profiles: [two, one]}, c: {image: x, profiles: [three]}}

            """
        ])
        loader.profiles = ["one"]
        let result = loader.load()
        #expect(result.profiles == ["one", "three", "two"])
        #expect(result.disabledServices == ["c"])
        #expect(result.project?.services.map(\.name.rawValue) == ["a", "b"])
    }

    @Test func standardInputIsAskedForOnlyWhereItIsNamed() {
        let count = Mutex(0)
        var loader = loader(["compose.yaml": "services: {web: {image: x}}\n"])
        loader.standardInput = {
            count.withLock { $0 += 1 }
            return .contents(Array("services: {web: {image: y}}\n".utf8))
        }
        #expect(loader.load().project?.services.first?.image == "x")
        #expect(count.withLock { $0 } == 0)
        loader.files = ["compose.yaml", "-"]
        let result = loader.load()
        #expect(result.project?.services.first?.image == "y")
        #expect(result.sources.keys.sorted() == ["<stdin>", "compose.yaml"])
        #expect(count.withLock { $0 } == 1)
        loader.standardInput = { .failed("it is closed") }
        #expect(loader.load().diagnostics.map(\.code.rawValue) == ["compose.file.unreadable"])
    }

    @Test func theTreeKeepsPositionsOfEveryFile() {
        let result = loader(
            ["a.yaml": "services: {web: {image: x}}\n", "b.yaml": "services: {web: {user: '1'}}\n"],
            of: ["a.yaml", "b.yaml"]
        ).load()
        let web = result.tree?.mapping?["services"]?.mapping?["web"]?.mapping
        #expect(web?["image"]?.position.description == "a.yaml:1:25")
        #expect(web?["user"]?.position.description == "b.yaml:1:24")
        #expect(result.tree?.mapping?["name"]?.scalar?.text == "p")
    }
}
