import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleKubernetes
import EscaleSystem
import FoundationEssentials

/// A project with what it is in Kubernetes.
struct MappedProject {
    let project: Project
    var manifests: ManifestSet
    let coverage: Coverage
    let loaded: LoadResult
}

extension Session {
    /// The project that the compose files describe, mapped. Prints nothing but the files' own problems.
    ///
    /// - Parameter files: read instead of those of the command line; none for these.
    /// - Throws: `compose.invalid`.
    func mappedProject(_ options: MappingOptions, files: [String] = []) async throws -> MappedProject {
        var loader = loader()
        if !files.isEmpty { loader.files = files }
        // What one machine doesn't have, a cluster may.
        loader.toleratesUnsupported = true
        let loaded = loader.load()
        guard let project = loaded.project, let tree = loaded.tree else {
            show(loaded.diagnostics, sources: loaded.sources)
            throw EscaleError.invalidProject(loaded.diagnostics)
        }
        let notThere: Set<EscaleError.Code> = [.init("compose.attribute.unsupported"), .init("compose.attribute.ignored")]
        show(loaded.diagnostics.filter { !notThere.contains($0.code) }, sources: loaded.sources)
        let manifests = try await manifests(of: project, options)
        let coverage = Coverage(tree, disabled: Set(loaded.disabledServices), notes: manifests.notes)
        return MappedProject(project: project, manifests: manifests, coverage: coverage, loaded: loaded)
    }

    /// The objects, with what is known of images by now: a registry's digests are known once they were pushed.
    func manifests(of project: Project, _ options: MappingOptions) async throws -> ManifestSet {
        KubernetesMapping.manifests(project, options: options, images: try await imageFacts(of: project), files: .host)
    }

    /// Tells what is lost and what differs.
    ///
    /// - Throws: `kubernetes.lost` where something is lost and the user wants to hear of it in this way.
    func tell(_ mapped: MappedProject, strict: Bool) throws {
        let diagnostics = mapped.coverage.findings.compactMap(\.diagnostic)
        show(diagnostics, sources: mapped.loaded.sources)
        let lost = mapped.coverage.count("lost")
        guard strict, lost > 0 else { return }
        throw EscaleError(
            .init("kubernetes.lost"), "\(lost) of the file's keys \(lost == 1 ? "is" : "are") lost in Kubernetes, see above",
            hint: "remove them, or leave out --strict")
    }

    /// What the image store knows of the project's images; nothing where no daemon runs, or for anybody but root.
    private func imageFacts(of project: Project) async throws -> [String: ImageFacts] {
        // Nobody needs a daemon for manifests, nor root.
        guard let client = try? client(), (try? client.isRunning()) == true else { return [:] }
        var facts: [String: ImageFacts] = [:]
        for name in Set(project.services.map { $0.imageName(in: project.name) }) {
            // An image that isn't here is the registry's.
            guard let bytes = try? await client.inspectImage(name) else { continue }
            facts[name] = try JSONDecoder().decode(InspectedImage.self, from: Data(bytes)).facts
        }
        return facts
    }
}

extension MappingFiles {
    /// Those of this machine. A directory's files are read as far as a ConfigMap could hold them.
    static let host = MappingFiles { path in
        do throws(EscaleError) {
            guard Files.isDirectory(path) else {
                guard Files.exists(path) else { return .failed("there is nothing there") }
                return .contents(try Files.read(path))
            }
            var found: [String: [UInt8]] = [:]
            try collect(path, prefix: "", into: &found)
            return .directory(found)
        } catch {
            return .failed(error.message)
        }
    }

    private static func collect(_ directory: String, prefix: String, into found: inout [String: [UInt8]]) throws(EscaleError) {
        for name in try Files.list(directory).sorted() {
            let path = "\(directory)/\(name)"
            if Files.isDirectory(path) {
                if Files.linkTarget(path) == nil { try collect(path, prefix: "\(prefix)\(name)/", into: &found) }
            } else if Files.exists(path) {
                found["\(prefix)\(name)"] = try Files.read(path)
            }
            // More than this goes into no ConfigMap, and whoever maps says so.
            guard found.values.reduce(0, { $0 + $1.count }) <= 2 << 20 else { return }
        }
    }
}
