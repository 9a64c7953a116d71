import EscaleCompose
import EscaleCore
import EscaleKubernetes
import EscaleSystem

/// `escale kube generate`
enum KubeGenerate: CLICommand {
    enum Format: String, CaseIterable, Sendable { case yaml, json, kustomize, helm }

    struct Options: MappingCommandOptions {
        var mapping = MappingOptions()
        var strict = false
        var format = Format.yaml
        var output: String?
        var report = false
        var overlays: [(name: String, files: [String])] = []
    }

    static let path = ["kube", "generate"]
    static let summary = "Write the project as manifests for Kubernetes"
    static let details: String? = """
        Without `--output` the manifests are printed as one stream. A FILE gets the stream, a directory (a name that ends with /, or \
        one that is there) a file for each object. `--format kustomize` writes a base, and an overlay for each `--overlay`, that \
        is for the compose files that an environment adds; `--format helm` writes a chart. Needs neither the daemon nor root; where \
        the daemon runs, images are named by the digests that they have here, and their ports and health checks are taken over.

        What can't be had in Kubernetes is told with its position, and `--report` lists what becomes of every key. Values of secrets \
        are in no manifest unless `--secrets values` asks for it.
        """
    static let flags: [Flag<Options>] =
        [
            .choice("format", \.format, "What to write"),
            .value("output", "o", "FILE|DIR", "Where to write it, instead of printing it") { $0.output = $1 },
            .value("overlay", nil, "NAME=FILE[,FILE...]", "An environment and the compose files that it adds; for --format kustomize") {
                let parts = $1.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, !parts[0].contains("/") else {
                    throw EscaleError(.usage, "must be NAME=FILE", hint: "such as --overlay prod=compose.prod.yaml")
                }
                $0.overlays.append((String(parts[0]), parts[1].split(separator: ",").map(String.init)))
            },
            .choice("strategies", \.mapping.strategies, "Who makes blue-green and canary releases: `escale kube apply`, or Argo Rollouts"),
            .toggle("report", nil, \.report, "Print what becomes of every key of the file, and no manifests"),
        ] + Flag.mapping

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        guard options.overlays.isEmpty || options.format == .kustomize else {
            throw EscaleError(.usage, "--overlay is for --format kustomize")
        }
        let mapped = try await session.mappedProject(options.mapping)
        if options.report {
            session.console.write(report(mapped.coverage))
            return options.strict && mapped.coverage.count("lost") > 0 ? 1 : 0
        }
        try session.tell(mapped, strict: options.strict)
        switch options.format {
        case .yaml, .json: try writePlain(mapped.manifests, options, in: session)
        case .kustomize:
            var overlays: [(name: String, set: ManifestSet)] = []
            for overlay in options.overlays {
                overlays.append((overlay.name, try await session.mappedProject(options.mapping, files: mapped.project.files + overlay.files).manifests))
            }
            try write(Kustomization.files(mapped.manifests, overlays: overlays), options, in: session)
        case .helm: try write(HelmChart.files(mapped.manifests), options, in: session)
        }
        tellOfSecrets(mapped.manifests, options, in: session)
        return 0
    }

    // MARK: Files

    private static func writePlain(_ set: ManifestSet, _ options: Options, in session: Session) throws {
        let text = options.format == .json ? ManifestFiles.json(set) : ManifestFiles.stream(set)
        guard let output = options.output else { return session.console.write(text) }
        let path = ComposePath.absolute(output, in: session.workingDirectory)
        if options.format == .yaml, output.hasSuffix("/") || Files.isDirectory(path) {
            try write(ManifestFiles.separate(set), options, in: session)
        } else {
            try Files.write(path, Array(text.utf8))
        }
    }

    private static func write(_ files: [String: String], _ options: Options, in session: Session) throws {
        guard let output = options.output else {
            throw EscaleError(.usage, "\(options.format.rawValue) is several files", hint: "say where they go with --output DIR")
        }
        let directory = ComposePath.absolute(output, in: session.workingDirectory)
        for (name, text) in files.sorted(by: { $0.key < $1.key }) {
            let path = "\(directory)/\(name)"
            try Files.createDirectories(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
            try Files.write(path, Array(text.utf8))
        }
        session.console.print("\(files.count) files written to \(output)", to: .error)
    }

    /// What has to be in the cluster before the pods can start.
    private static func tellOfSecrets(_ set: ManifestSet, _ options: Options, in session: Session) {
        guard options.mapping.secrecy == .reference, !set.neededSecrets.isEmpty else { return }
        let names = set.neededSecrets.map(\.name)
        session.console.print(
            "Secrets are needed besides: \(spokenList(names, last: "and")). `escale kube apply` makes them of what this machine has; "
                + "--secrets values writes them here.", to: .error)
    }

    // MARK: The report

    private static func report(_ coverage: Coverage) -> String {
        var table = Table(["KEY", "", "WHAT IT BECOMES"])
        for finding in coverage.findings {
            let words =
                switch finding.treatment {
                case .mapped(let to), .local(let to), .lost(let to): to
                case .approximated(let to, let difference): to.isEmpty ? difference : "\(to); \(difference)"
                }
            table.add(["\(finding.position): \(finding.key)", finding.treatment.word, words])
        }
        let counts = ["mapped", "approximated", "lost", "local"].map { "\(coverage.count($0)) \($0)" }
        return table.rendered() + "\(coverage.findings.count) keys: \(counts.joined(separator: ", "))\n"
    }
}
