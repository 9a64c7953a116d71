import EscaleCompose
import EscaleCore
import Glibc
import Testing

/// What the golden files don't show: the real file system, and how large files fare.
@Suite struct ComposeLoaderTests {
    private func load(_ text: String) -> LoadResult {
        ComposeLoader(workingDirectory: "/p", fileSystem: .memory(["/p/compose.yaml": text])).load()
    }

    @Test func readsTheMachinesFiles() throws {
        var template = Array("/tmp/escale-compose-XXXXXX".utf8CString)
        let directory = String(cString: try #require(mkdtemp(&template)))
        defer {
            for name in ["compose.yaml", "latin.yaml"] { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        func write(_ name: String, _ bytes: [UInt8]) throws {
            let file = try #require(fopen("\(directory)/\(name)", "w"))
            defer { fclose(file) }
            #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        }
        try write("compose.yaml", Array("name: real\nservices: {web: {build: .}}\n".utf8))
        try write("latin.yaml", Array("# caf".utf8) + [0xE9])

        let found = ComposeLoader(workingDirectory: directory).load()
        let project = try #require(found.project)
        #expect(project.name.rawValue == "real")
        #expect(project.files == ["\(directory)/compose.yaml"])
        #expect(project.services.first?.build?.context == directory)
        #expect(found.sources.keys.sorted() == ["compose.yaml"])

        let missing = ComposeLoader(files: ["none.yaml"], workingDirectory: directory).load()
        #expect(missing.diagnostics.map(\.code.rawValue) == ["compose.file.missing"])
        let folder = ComposeLoader(files: ["."], workingDirectory: directory).load()
        #expect(folder.diagnostics.first?.message.contains("is a directory") == true)
        let latin = ComposeLoader(files: ["latin.yaml"], workingDirectory: directory).load()
        #expect(latin.diagnostics.map(\.code.rawValue) == ["yaml.encoding"])
    }

    @Test func warningsAloneStillGiveAProject() {
        let loaded = load("version: '3'\nservices: {web: {image: x}}\n")
        #expect(loaded.project != nil)
        #expect(loaded.diagnostics.map(\.severity) == [.warning])
    }

    @Test func thousandsOfChainedServicesDontExhaustTheStack() {
        var text = "services:\n"
        for index in 0..<5000 { text += "  s\(index): {image: x, depends_on: [s\(index + 1)]}\n" }
        #expect(load(text + "  s5000: {image: x}\n").project?.services.count == 5001)
        let circle = load(text + "  s5000: {image: x, depends_on: [s0]}\n").diagnostics
        #expect(circle.map(\.code.rawValue) == ["compose.depends-on.cycle"])
    }

    @Test func hugePortRangesAndLongLinesAreRefusedQuickly() {
        let start = ContinuousClock.now
        let ranges = String(repeating: "'1-65535:1-65535', ", count: 1000)
        let ports = load("services: {web: {image: x, ports: [\(ranges)]}}\n").diagnostics
        #expect(ports.map(\.code.rawValue) == ["compose.port.count"])
        let variables = String(repeating: "$A", count: 200_000)
        let unset = load("services: {web: {image: x, command: \(variables)}}\n").diagnostics
        #expect(unset.count == 20)
        let unknown = (0..<5000).map { "k\($0): 1" }.joined(separator: ", ")
        #expect(load("services: {web: {image: x, \(unknown)}}\n").diagnostics.count == 5000)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func memoryFilesKnowTheirDirectories() {
        let files = ComposeFileSystem.memory(["/a/b/c": "x"])
        #expect(files.exists("/a/b") && files.exists("/a/b/c") && !files.exists("/a/bc"))
    }
}
