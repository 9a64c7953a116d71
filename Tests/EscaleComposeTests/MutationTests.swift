import EscaleCompose
import EscaleCore
import EscaleYAML
import Glibc
import Testing

/// Damaged compose files: a load says something about them or loads them, and never crashes or hangs.
@Suite struct MutationTests {
    @Test func noMutationCrashesTheLoader() throws {
        let inputs = GoldenCase.all().map(\.input)
        try #require(!inputs.isEmpty)
        let seed = getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...1_000_000)
        print("mutation seed \(seed) (repeat with SEED=\(seed))")
        var generator = SplitMix(seed: seed)
        for _ in 0..<3000 {
            guard let input = inputs.randomElement(using: &generator) else { return }
            let text = mutated(input, &generator)
            var loader = GoldenCase(input: text).loader()
            loader.environment.merge(["TAG": "1", "EMPTY": ""]) { own, _ in own }
            let result = loader.load()
            #expect((result.project == nil) == (result.diagnostics.hasErrors || !loader.interpolates))
            if let project = result.project { _ = ProjectRenderer.yaml(project) }
        }
    }

    private func mutated(_ text: String, _ generator: inout SplitMix) -> String {
        var scalars = Array(text.unicodeScalars)
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let place = Int.random(in: 0...scalars.count, using: &generator)
            let length = Int.random(in: 0...min(12, scalars.count - place), using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: scalars.removeSubrange(place..<(place + length))
            case 1: scalars.insert(contentsOf: scalars[place..<(place + length)], at: place)
            case 2:
                let other = Int.random(in: 0...scalars.count, using: &generator)
                scalars.insert(contentsOf: Array(scalars[place..<(place + length)]), at: other)
            default:
                let token = Self.tokens.randomElement(using: &generator) ?? ""
                scalars.insert(contentsOf: token.unicodeScalars, at: place)
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }

    private static let tokens = [
        "\t", "\n", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: *a\n", "!!str ", "!reset ", "| ", "> ",
        "\"", "'", "#",
        "$", "${", "}", "${A:-${B}}", "$$", "null", "true", "no", "-1", "99999999999999999999", "1e309", "0x",
        ".nan", "é",
        "\u{0}", "\u{FEFF}", "\u{2028}", "/", ":", "::", "..", "~", "- - - ", "---\n", "%", "=",
        "services:\n", "1-0", "[::1]:",
        "x-escale: {}\n", "\r\n", "1h1h", "\\", "👩‍👩‍👧",
    ]
}

/// Random numbers that a seed repeats.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
