import EscaleCompose
import EscaleCore
import EscaleKubernetes
import EscaleTestExpectations
import EscaleYAML
import Foundation
import Testing

@Suite struct MappingTests {
    @Test(arguments: MappingCase.all())
    func aFileBecomesTheseObjects(file: MappingCase) throws {
        let (set, coverage) = try file.manifests()
        var text = ManifestFiles.stream(set)
        let words = coverage.findings.compactMap(\.diagnostic).map { "# \($0.position.map { "\($0): " } ?? "")\($0.message)\n" }
        text = words.joined() + text
        try expectGolden(text, "Tests/Golden/kubernetes/\(file.name)/manifests.yaml")
    }

    /// Gateways, stores of secrets and Argo Rollouts; ports of nodes and values in the manifests.
    @Test(arguments: ["blue-green", "canary", "http", "secrets", "ports", "autoscale"], [1, 2])
    func thereAreOtherWays(name: String, variant: Int) throws {
        let file = MappingCase(name: name)
        let text = ManifestFiles.stream(try file.manifests(Self.variants[variant]).set)
        try expectGolden(text, "Tests/Golden/kubernetes/\(name)/\(variant == 1 ? "gateway" : "ports").manifests.yaml")
    }

    @Test func thereAreFortyFiles() { #expect(MappingCase.all().count >= 40) }

    /// Whatever the options, no object has the name of another of its kind, and every name is good for the API.
    @Test(arguments: MappingCase.all())
    func namesAreNames(file: MappingCase) throws {
        for options in Self.variants {
            let objects = try file.manifests(options).set.objects
            var seen: Set<String> = []
            for object in objects {
                #expect(seen.insert(object.description).inserted, "twice: \(object)")
                #expect(object.name.wholeMatch(of: /[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/) != nil, "\(object)")
            }
        }
    }

    /// The same file gives the same text, and what is printed as a canonical compose file too.
    @Test(arguments: MappingCase.all())
    func theMappingIsAFunction(file: MappingCase) throws {
        #expect(ManifestFiles.stream(try file.manifests().set) == ManifestFiles.stream(try file.manifests().set))
    }

    /// A value of a secret is in no manifest that nobody asked to have it.
    @Test(arguments: MappingCase.all())
    func secretsStaySecret(file: MappingCase) throws {
        let project = try #require(try file.load().project)
        let values = project.secrets.compactMap(\.content).filter { $0.count > 5 } + ["hunter2"]
        let names = project.services.flatMap { $0.environment.keys }.filter { $0.hasSuffix("PASSWORD") || $0.hasSuffix("TOKEN") }
        for options in Self.variants where options.secrecy != .values {
            let text = ManifestFiles.stream(try file.manifests(options).set)
            for value in values {
                #expect(!text.contains(value), "\(value)")
                #expect(!text.contains(Data(value.utf8).base64EncodedString()), "\(value)")
            }
            for name in names { #expect(!text.contains("- name: \(name)\n              value: "), "\(name)") }
        }
    }

    @Test func everyAttributeHasATreatment() {
        for attribute in ComposeAttribute.table where attribute.name != "x-escale" {
            #expect(Treatment.of(attribute.path) != nil, "\(attribute.path): say in TreatmentTable what becomes of it")
        }
    }

    @Test func everyTreatmentIsOfAnAttribute() {
        let known = Set(ComposeAttribute.table.map(\.path))
        for row in Treatment.table { #expect(known.contains(row.path), "\(row.path) is no attribute") }
        let paths = Treatment.table.map(\.path)
        #expect(Set(paths).count == paths.count, "one stands there twice")
    }

    /// What is said of an attribute is said where the file has it.
    @Test(arguments: MappingCase.all())
    func everyKeyHasItsPlace(file: MappingCase) throws {
        let lines = try String(contentsOfFile: "\(file.directory)/compose.yaml", encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        for finding in try file.manifests().coverage.findings {
            let keys = finding.key.split(separator: ".")
            guard keys.count == 3, let key = keys.last, finding.position.file == "compose.yaml", !finding.key.contains("Web.Front") else { continue }
            let line = try #require(lines.indices.contains(finding.position.line - 1) ? lines[finding.position.line - 1] : nil)
            #expect(line.dropFirst(finding.position.column - 1).hasPrefix(key), "\(finding.key) is not at \(finding.position)")
        }
    }

    @Test func thePageIsWhatTheTableSays() throws {
        try expectGolden(MappingPage.markdown(), "docs/reference/kubernetes.md")
    }

    @Test func anOverlayMakesOneProjectOfTheOther() throws {
        let base = try MappingCase(name: "shop").manifests().set
        var options = MappingOptions()
        options.publishing = .nodePort
        let files = Kustomization.files(base, overlays: [("prod", try MappingCase(name: "shop").manifests(options).set)])
        #expect(files["base/kustomization.yaml"]?.contains("deployment-api.yaml") == true)
        let overlay = try #require(files["overlays/prod/kustomization.yaml"])
        #expect(overlay.contains("patches:") && files["overlays/prod/patch-service-web-published.yaml"]?.contains("NodePort") == true, "\(overlay)")
    }

    @Test func everyHostOfAChartIsItsOwn() throws {
        let files = HelmChart.files(try MappingCase(name: "http").manifests().set)
        let values = try #require(files["values.yaml"])
        #expect(values.contains("host: shop.example.org") && values.contains("host2: www.shop.example.org"), "\(values)")
    }

    /// What is not the node's own namespace, not waited for or for one machine alone is said.
    @Test(arguments: [("namespaces", "service:net"), ("ports", "kubectl port-forward"), ("shop", "api is not waited for"), ("blue-green", "one after the other")])
    func nothingIsIgnored(name: String, words: String) throws {
        let said = try MappingCase(name: name).manifests().coverage.findings.compactMap(\.diagnostic?.message)
        #expect(said.contains { $0.contains(words) }, "\(said)")
    }

    @Test func aChartLeavesStepsTheirOwnImages() throws {
        let files = HelmChart.files(try MappingCase(name: "pre-start").manifests().set)
        let workload = try #require(files.values.first { $0.contains("initContainers") })
        #expect(workload.contains("image: busybox:1.36"), "\(workload)")
        #expect(workload.contains("image: {{ .Values.web.image | quote }}"), "\(workload)")
        #expect(files["values.yaml"]?.contains("registry.example.org/shop/web:3") == true, "\(files["values.yaml"] ?? "")")
    }

    @Test func aChartHasItsValues() throws {
        let files = HelmChart.files(try MappingCase(name: "misread").manifests().set)
        let template = try #require(files["templates/deployment-app.yaml"])
        #expect(template.contains("image: {{ .Values.app.image | quote }}"))
        #expect(template.contains("replicas: {{ .Values.app.replicas | int }}"))
        #expect(template.contains("{{ \"{{\" }} template }}"), "braces of the file's own are text: \(template)")
        #expect(files["values.yaml"]?.contains("image: a:1") == true)
    }

    static let variants: [MappingOptions] = {
        var gateway = MappingOptions()
        gateway.routing = .gateway
        gateway.secrecy = .external
        gateway.strategies = .argo
        var ports = MappingOptions()
        ports.publishing = .nodePort
        ports.secrecy = .values
        ports.registry = "registry.example.org/team"
        ports.pullSecrets = ["pull"]
        ports.storageClass = "fast"
        return [MappingOptions(), gateway, ports]
    }()
}
