import EscaleCore
import EscaleDockerfile
import Foundation
import Testing

/// Each file of Tests/Golden/dockerfile is a Dockerfile, a line `----`, and what the parser makes of it; those of
/// Tests/Golden/dockerfile-checks have what the checks find. `UPDATE_GOLDEN=1` rewrites the latter part.
@Suite struct GoldenTests {
    static let parsed = Golden.names(in: "dockerfile")
    static let checked = Golden.names(in: "dockerfile-checks")

    @Test func thereAreGoldens() {
        #expect(Self.parsed.count >= 140)
        #expect(Self.checked.count >= 60)
    }

    @Test(arguments: parsed)
    func parsesAsWritten(name: String) throws {
        try Golden.compare("dockerfile/\(name)") { input in
            let (dockerfile, diagnostics) = parseDockerfile(input, file: "Dockerfile")
            return diagnostics.map { $0.rendered() + "\n" }.joined() + dump(dockerfile)
        }
    }

    @Test(arguments: BuildCheck.allCases)
    func everyCheckFindsSomething(check: BuildCheck) throws {
        let code = "[dockerfile.check.\(check.name)]"
        #expect(try Self.checked.contains { try Golden.text(of: "dockerfile-checks/\($0)").contains(code) })
        #expect(!check.summary.isEmpty && !check.fix.isEmpty)
    }

    /// Lines `#ignore PATTERN`, `#argument NAME=VALUE` and `#target NAME` of the input are what is around it.
    @Test(arguments: checked)
    func checksAsWritten(name: String) throws {
        try Golden.compare("dockerfile-checks/\(name)") { input in
            let (dockerfile, diagnostics) = parseDockerfile(input, file: "Dockerfile")
            func settings(_ name: String) -> [String] {
                input.split(separator: "\n").filter { $0.hasPrefix("#\(name) ") }
                    .map { String($0.dropFirst(name.count + 2)) }
            }
            let arguments = settings("argument").map {
                $0.split(separator: "=", maxSplits: 1).map(String.init)
            }
            let found = checkDockerfile(
                dockerfile,
                text: input,
                target: settings("target").first,
                arguments: Dictionary(arguments.map { ($0[0], $0[1]) }, uniquingKeysWith: { $1 }),
                ignore: Dockerignore(settings("ignore").joined(separator: "\n"))
            )
            return (diagnostics + found).map { $0.rendered() + "\n" }.joined()
        }
    }
}

enum Golden {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .appending(path: "Golden")

    static func names(in folder: String) -> [String] {
        let path = directory.appending(path: folder).path
        return ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
            .filter { $0.hasSuffix(".golden") }.sorted()
    }

    static func input(of path: String) throws -> String {
        try text(of: path).components(separatedBy: "\n----\n")[0]
    }

    static func text(of path: String) throws -> String {
        try String(contentsOf: directory.appending(path: path), encoding: .utf8)
    }

    static func compare(_ path: String, _ result: (String) throws -> String) throws {
        let parts = try text(of: path).components(separatedBy: "\n----\n")
        let result = try result(parts[0])
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            let url = directory.appending(path: path)
            try (parts[0] + "\n----\n" + result).write(to: url, atomically: true, encoding: .utf8)
        } else {
            #expect(parts.count == 2 && parts[1] == result, "\(result)")
        }
    }
}
