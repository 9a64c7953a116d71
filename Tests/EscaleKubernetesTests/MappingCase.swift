import EscaleCompose
import EscaleCore
import EscaleKubernetes
import Foundation
import Testing

/// `Tests/Golden/kubernetes/NAME/compose.yaml`, and what becomes of it.
struct MappingCase: CustomTestStringConvertible, Sendable {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Golden/kubernetes").path(percentEncoded: false)

    let name: String
    var testDescription: String { name }

    /// Of this machine.
    var directory: String { "\(Self.root)/\(name)" }

    static func all() -> [MappingCase] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted().map { MappingCase(name: $0) }
            .filter { FileManager.default.fileExists(atPath: "\($0.directory)/compose.yaml") }
    }

    /// The files as they stand at the same place on every machine.
    func load() throws -> LoadResult {
        var loader = ComposeLoader(
            files: ["/shop/\(name)/compose.yaml"], workingDirectory: "/shop/\(name)", projectDirectory: nil, projectName: nil, environmentFiles: [],
            environment: ["HOME": "/home/me"], fileSystem: Self.fileSystem)
        loader.toleratesUnsupported = true
        return loader.load()
    }

    func manifests(_ options: MappingOptions = MappingOptions()) throws -> (set: ManifestSet, coverage: Coverage) {
        let loaded = try load()
        let project = try #require(loaded.project, "\(loaded.diagnostics.map { $0.rendered() })")
        let set = KubernetesMapping.manifests(project, options: options, images: Self.images, files: Self.files)
        let tree = try #require(loaded.tree)
        return (set, Coverage(tree, disabled: Set(loaded.disabledServices), notes: set.notes))
    }

    private static func real(_ path: String) -> String { root + path.dropFirst("/shop".count) }

    private static let fileSystem = ComposeFileSystem(
        read: { path in path.hasPrefix("/shop/") ? ComposeFileSystem.host.read(real(path)) : .missing },
        exists: { path in path.hasPrefix("/shop/") && ComposeFileSystem.host.exists(real(path)) })

    private static let files = MappingFiles { path in
        guard path.hasPrefix("/shop/") else { return .failed("it is not of the test") }
        let path = real(path)
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return .failed("there is nothing there") }
        guard isDirectory.boolValue else { return (try? Data(contentsOf: URL(filePath: path))).map { .contents(Array($0)) } ?? .failed("unreadable") }
        var found: [String: [UInt8]] = [:]
        for name in (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? [] {
            if let data = FileManager.default.contents(atPath: "\(path)/\(name)") { found[name] = Array(data) }
        }
        return .directory(found)
    }

    /// As if these were on the machine; of others nothing is known.
    private static let images: [String: ImageFacts] = {
        var postgres = ImageFacts()
        postgres.digest = "sha256:" + String(repeating: "5", count: 64)
        postgres.ports = [.init(number: 5432, isUDP: false)]
        postgres.stopSignal = "SIGINT"
        var checked = ImageFacts()
        checked.ports = [.init(number: 8000, isUDP: false)]
        checked.volumes = ["/var/cache/app"]
        var check = HealthcheckFacts(words: ["CMD-SHELL", "wget -q -O- http://localhost:8000/"])
        check.interval = .seconds(7)
        checked.healthcheck = check
        return ["postgres:16": postgres, "app:2": checked]
    }()
}
