import EscaleSystem
import Testing

/// The shape of the source tree: who imports whom, and what no file has.
@Suite struct LayeringTests {
    /// `Layer/Target` of each target by its module's name.
    private func targets() throws -> [String: String] {
        var targets: [String: String] = [:]
        for layer in try Files.list("\(SourceTree.root)/Sources") {
            for target in try Files.list("\(SourceTree.root)/Sources/\(layer)") { targets[target] = "\(layer)/\(target)" }
        }
        return targets
    }

    @Test func importsFollowTheLayers() throws {
        let rules = try LayerRules()
        let targets = try targets()
        for file in try SourceTree.swiftFiles() {
            for (module, line) in file.imports where !rules.toolchain.contains(module) {
                let place = "\(file.path):\(line)"
                if let owners = rules.owners[module] {
                    #expect(owners.contains(file.target), "\(place): \(module) belongs to \(owners.sorted())")
                } else if let other = targets[module] {
                    #expect(rules.allows(file.target, other), "\(place): \(file.target) may not import \(other)")
                } else {
                    Issue.record("\(place): \(module) is neither a target nor in layers.txt")
                }
            }
        }
    }

    @Test func everyTargetHasARuleAndEveryRuleATarget() throws {
        let rules = try LayerRules()
        let files = try SourceTree.swiftFiles()
        for layer in Set(files.map(\.layer)) { #expect(rules.allowed[layer] != nil, "no rule for the layer \(layer)") }
        let known = Set(files.map(\.target)).union(files.map(\.layer))
        for (name, others) in rules.allowed {
            for name in [name] + others { #expect(known.contains(name), "layers.txt: there is no \(name)") }
        }
        for path in rules.long { #expect(Files.exists("\(SourceTree.root)/\(path)"), "layers.txt: there is no \(path)") }
    }

    @Test func everyCLibraryHasItsOwner() throws {
        let rules = try LayerRules()
        let files = try SourceTree.swiftFiles()
        let libraries = try Files.list("\(SourceTree.root)/Sources/CLibs") + ["CEscaleLinux"]
        #expect(Set(libraries) == Set(rules.owners.keys))
        for library in libraries {
            let importers = Set(files.filter { $0.imports.contains { $0.module == library } }.map(\.target))
            #expect(importers == rules.owners[library], "\(library)")
            if library != "CEscaleLinux" { #expect(importers.count == 1, "\(library)") }
        }
    }

    @Test func modelAndSystemNeverSeeEachOther() throws {
        let rules = try LayerRules()
        #expect(!rules.allows("Model/X", "System/Y"))
        #expect(!rules.allows("System/Y", "Model/X"))
        #expect(!rules.allows("Base/X", "Model/Y"))
        #expect(!rules.allows("Platform/X", "Edge/Y"))
        #expect(!rules.allows("Edge/EscaleCLI", "Platform/EscaleEngine"))
        #expect(rules.allows("Edge/EscaleDaemon", "Platform/EscaleEngine"))
    }

    @Test func theModelDoesNoInputOrOutput() throws {
        for file in try SourceTree.swiftFiles() where file.layer == "Model" {
            let systems = file.imports.filter { $0.module == "Glibc" || $0.module == "Synchronization" }
            #expect(systems.isEmpty || Self.knownInputOutput.contains(file.path), "\(file.path) imports \(systems.map(\.module))")
        }
    }

    /// Files of the model that reach the system, each for a reason.
    private static let knownInputOutput: Set<String> = [
        // The host's file system behind a value that tests replace.
        "Sources/Model/EscaleCompose/Loading/ComposeFileSystem.swift",
        // inet_pton, which computes.
        "Sources/Model/EscaleCompose/Services/HostAddress.swift",
    ]

    @Test func whatATargetImportsIsDeclared() throws {
        let manifest = try Files.readText("\(SourceTree.root)/Package.swift")
        let targets = try targets()
        for (target, files) in Dictionary(grouping: try SourceTree.swiftFiles(), by: \.target) {
            let name = String(target.split(separator: "/").last ?? "")
            guard let declared = Self.declared(name, in: manifest) else {
                Issue.record("Package.swift: there is no target \(name)")
                continue
            }
            for file in files {
                for (module, line) in file.imports where targets[module] != nil || module.hasPrefix("C") {
                    #expect(declared.contains(module), "\(file.path):\(line): \(module) is no declared dependency")
                }
            }
        }
    }

    /// The names in the first list after the target's own name.
    private static func declared(_ target: String, in manifest: String) -> Set<String>? {
        let lines = manifest.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.indices.first(where: { index in
            let before = index > 0 ? lines[index - 1] : ""
            return lines[index].contains("\"\(target)\", [")
                || (lines[index].contains("\"\(target)\",") && before.contains("library("))
        }) else { return nil }
        let rest = lines[start...].joined(separator: "\n")
        guard let name = rest.firstRange(of: "\"\(target)\","), let open = rest[name.upperBound...].firstIndex(of: "["),
            let close = rest[open...].firstIndex(of: "]")
        else { return nil }
        return Set(rest[open..<close].split(separator: "\"").map(String.init))
    }

    // MARK: What no file has

    @Test func noFileImportsFoundation() throws {
        for file in try SourceTree.swiftFiles() {
            for (module, line) in file.imports where ["Foundation", "FoundationNetworking", "Dispatch"].contains(module) {
                Issue.record("\(file.path):\(line): \(module)")
            }
        }
    }

    @Test func nothingEndsTheProcessOnData() throws {
        for file in try SourceTree.swiftFiles() {
            let lines = SwiftText.code(file.text).split(separator: "\n", omittingEmptySubsequences: false)
            for (index, line) in lines.enumerated() {
                for trap in SwiftText.traps(in: line) {
                    Issue.record("\(file.path):\(index + 1): \(trap) in \(line.trimmed)")
                }
            }
        }
    }

    @Test func noFileIsTooLong() throws {
        let rules = try LayerRules()
        for file in try SourceTree.swiftFiles() where !rules.long.contains(file.path) {
            #expect(file.lines.count <= 600, "\(file.path) has \(file.lines.count) lines")
        }
    }

    @Test func noNameSaysNothing() throws {
        for file in try SourceTree.swiftFiles() {
            let name = file.path.split(separator: "/").last.map { $0.dropLast(6) } ?? ""
            for word in ["Utils", "Util", "Helpers", "Helper", "Manager", "Common", "Misc"] {
                #expect(!name.hasSuffix(word), "\(file.path)")
            }
        }
    }

    // MARK: The scanner

    @Test(arguments: [
        ("let a = b!", ["!"]), ("f()!.x", ["!"]), ("a[0]!", ["!"]), ("x as! Int", ["as!"]), ("try! f()", ["try!"]),
        ("var a: Int!", ["!"]), ("fatalError(\"no\")", ["fatalError("]), ("a != b", []), ("a! != b", ["!"]), ("!a && !b", []),
        ("(!a)", []), ("[!a]", []), ("return !a", []), ("a!=b", []), ("// b!", []), ("/* b! /* c! */ d! */ e", []),
        ("\"b!\"", []), ("\"\\(b!) c!\"", ["!"]), ("#\"a! \\(b!) \"c! \"#", []), ("#\"\\#(b!)\"#", ["!"]),
        ("\"\\\"b!\"", []), ("\"\\(f(\"c!\", (1)))\" + d", []),
    ] as [(String, [String])]) func trapsAreFoundInCodeOnly(line: String, traps: [String]) {
        #expect(SwiftText.traps(in: SwiftText.code(line)) == traps)
    }

    @Test func longStringsAreSkipped() {
        let text = "let a = \"\"\"\n  b! \"quoted!\" \\(c!)\n  \"\"\"\nd!"
        #expect(SwiftText.code(text).split(separator: "\n").map { SwiftText.traps(in: $0).count } == [0, 1, 1])
    }

    @Test func importsAreFound() {
        let text = """
            import A
            package import B
            @preconcurrency import C
            @_spi(X) public import struct D.E
            let text = "import F"
            """
        let file = SourceTree.File(path: "Sources/Model/X/Y.swift", text: text)
        #expect(file.imports.map(\.module) == ["A", "B", "C", "D"])
        #expect(file.imports.map(\.line) == [1, 2, 3, 4])
        #expect(file.target == "Model/X")
    }
}

extension Substring {
    fileprivate var trimmed: Substring { drop { $0 == " " } }
}
