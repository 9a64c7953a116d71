import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleSystem
import EscaleTestSupport
import Testing

/// What a pull that did not come to its end leaves, and what comes after it.
@Suite struct PullStateTests {
    @Test func theNextPullGoesOnFromTheBeginningThatWasKept() async throws {
        let image = try await SampleImage.make()
        let half = image.layer.count / 2
        try await ScriptedRegistry.with(image, script: { registry, request, before in
            guard request.path.hasSuffix(image.blob.digest.description) else { return nil }
            if before == 0 { return registry.broken(at: half) }
            return before == 1 ? HTTPResponse(.forbidden) : nil
        }) { registry in
            let host = try Host()
            await expectError("registry.denied") { _ = try await host.pull(registry.name) }
            try host.expectNoTrace()
            #expect(try host.beginnings() == [image.blob.digest.hex: half])
            // Also another process, whose store is opened anew.
            let store = try ImageStore(root: host.store.root)
            #expect(try host.beginnings() == [image.blob.digest.hex: half])
            #expect(store.list().isEmpty)
            #expect(try await host.pull(registry.name).image.id == image.id)
            #expect(registry.blobRequests.map(\.rangeStart) == [nil, half, half])
            #expect(try host.beginnings().isEmpty)
            #expect(try await host.store.examine(repairing: false).problems == [])
        }
    }

    @Test func aCancelledPullLeavesOnlyABeginning() async throws {
        let image = try await SampleImage.make()
        let half = image.layer.count / 2
        try await ScriptedRegistry.with(image, script: { registry, request, before in
            guard request.path.hasSuffix(image.blob.digest.description), before == 0 else { return nil }
            return .stream { writer in
                try await writer.write(Array(image.layer[..<half]))
                try await Task.sleep(for: .seconds(600))
            }
        }) { registry in
            let host = try Host()
            let task = Task { try await host.pull(registry.name) }
            #expect(try await becomesTrue { try host.beginnings() == [image.blob.digest.hex: half] })
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            try host.expectNoTrace()
            #expect(try host.beginnings() == [image.blob.digest.hex: half])
            #expect(try await host.pull(registry.name).image.id == image.id)
            #expect(registry.blobRequests.map(\.rangeStart) == [nil, half])
        }
    }

    @Test func aBeginningOfSomethingElseIsFoundOut() async throws {
        let image = try await SampleImage.make()
        try await ScriptedRegistry.with(image, script: { _, _, _ in nil }) { registry in
            let host = try Host()
            try host.scratch.file("store/downloads/\(image.blob.digest.hex)", "something else")
            await expectError("image.digest") { _ = try await host.pull(registry.name) }
            try host.expectNoTrace()
            #expect(try host.beginnings().isEmpty)
            #expect(try await host.pull(registry.name).image.id == image.id)
            // One that is longer than the whole is not gone on with.
            let other = try Host()
            try other.scratch.file(
                "store/downloads/\(image.blob.digest.hex)", String(repeating: "x", count: image.layer.count + 1))
            #expect(try await other.pull(registry.name).image.id == image.id)
        }
    }

    @Test func severalPullsOfOneImageFetchItOnce() async throws {
        try await ScriptedRegistry.with(script: { _, request, _ in
            // Long enough for all of them to want it.
            if request.isForLayer { try? await Task.sleep(for: .milliseconds(100)) }
            return nil
        }) { registry in
            let host = try Host()
            try await withThrowingTaskGroup(of: Digest.self) { group in
                for _ in 0..<8 { group.addTask { try await host.pull(registry.name).image.id } }
                for try await id in group { #expect(id == registry.image.id) }
            }
            #expect(registry.blobRequests.count == 1)
            #expect(host.store.list().count == 1)
            #expect(try Files.list("\(host.store.root)/tmp") == [])
            #expect(try await host.store.examine(repairing: false).problems == [])
        }
    }

    @Test func aPullThatIsCancelledDoesNotStopTheOthers() async throws {
        let image = try await SampleImage.make()
        try await ScriptedRegistry.with(image, script: { _, request, before in
            guard request.path.hasSuffix(image.blob.digest.description), before == 0 else { return nil }
            return .stream { writer in
                try await writer.write(Array(image.layer[..<100]))
                try await Task.sleep(for: .seconds(600))
            }
        }) { registry in
            let host = try Host()
            let first = Task { try await host.pull(registry.name) }
            #expect(try await becomesTrue { try host.beginnings() == [image.blob.digest.hex: 100] })
            let second = Task { try await host.pull(registry.name) }
            #expect(try await becomesTrue { registry.requests.filter { $0.path.contains("/manifests/") }.count == 2 })
            first.cancel()
            #expect(try await second.value.image.id == image.id)
            await #expect(throws: CancellationError.self) { _ = try await first.value }
        }
    }

    // MARK: Mirrors

    private static func configuration(_ host: String, _ mirrors: [String]) -> String {
        "registries:\n  \(host):\n    mirrors: [\(mirrors.map { "\"\($0)\"" }.joined(separator: ", "))]\n"
    }

    @Test func aMirrorIsAskedFirst() async throws {
        let image = try await SampleImage.make()
        try await ScriptedRegistry.with(image, script: { _, _, _ in nil }) { mirror in
            try await ScriptedRegistry.with(image, script: { _, _, _ in HTTPResponse(.internalServerError) }) { registry in
                let host = try Host(configuration: Self.configuration(registry.host, ["http://\(mirror.host)"]))
                let ana = RegistryCredential(username: "ana", password: "secret")
                let pulled = try await host.pull(registry.name, ana)
                #expect(pulled.image.id == image.id)
                #expect(pulled.image.references.map(\.familiar) == [registry.name])
                #expect(registry.requests.isEmpty)
                #expect(mirror.requests.allSatisfy { $0.headers["Authorization"] == nil })
            }
        }
    }

    @Test func aMirrorThatIsBrokenIsSkipped() async throws {
        let image = try await SampleImage.make()
        let broken: [ScriptedRegistry.Script] = [
            { _, _, _ in HTTPResponse(.notFound) }, { _, request, _ in request.path == "/v2/" ? nil : HTTPResponse(.notFound) },
            { _, request, _ in request.isForLayer ? .text(.ok, "other bytes") : nil },
            { _, request, _ in
                request.path.contains("/manifests/") ? HTTPResponse(.ok, headers: ["Content-Type": MediaType.manifest]) : nil
            },
            { _, _, _ in HTTPResponse(.unauthorized, headers: ["WWW-Authenticate": "Basic"]) },
        ]
        for script in broken {
            try await ScriptedRegistry.with(image, script: script) { mirror in
                try await ScriptedRegistry.with(image, script: { _, _, _ in nil }) { registry in
                    let port = try await freePort()
                    let host = try Host(
                        configuration: Self.configuration(
                            registry.host, ["http://127.0.0.1:\(port)", "http://\(mirror.host)"]))
                    #expect(try await host.pull(registry.name).image.id == image.id)
                    #expect(!registry.requests.isEmpty)
                    #expect(try await host.store.examine(repairing: false).problems == [])
                }
            }
        }
    }

    // MARK: The configuration's file

    @Test func everyProblemOfTheConfigurationIsTold() async throws {
        let host = try Host(
            configuration: """
                registry: {}
                registries:
                  a.example:
                    insecure: maybe
                    mirrors: [ftp://x, https://right.example]
                    ca: relative.crt
                    key: /nowhere
                    other: 1
                  b.example: text
                """)
        let error = await expectError("registry.configuration", "registries.yaml can't be used") {
            _ = try await host.pull("a.example/web")
        }
        #expect(
            error?.diagnostics.map { "\($0.position?.line ?? 0): \($0.message)" } == [
                #"1: there is no "registry" here"#, "4: insecure must be true or false",
                "5: a mirror must be an http or https URL", "6: this must be the absolute path of a file that is there",
                "7: this must be the absolute path of a file that is there", #"8: a registry has no "other""#,
                #"9: a registry must be a mapping, not the text "text""#,
            ])
    }

    @Test(arguments: ["", "registries:\n", "# nothing\n", "registries: {}\n"])
    func aConfigurationMayBeEmpty(text: String) async throws {
        try await ScriptedRegistry.with(script: { _, _, _ in nil }) { registry in
            let host = try Host(configuration: text)
            #expect(try await host.pull(registry.name).image.id == registry.image.id)
        }
    }
}
