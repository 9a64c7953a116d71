import EscaleCore
import EscaleDockerfile
import Testing

/// Whatever a Dockerfile holds, reading it ends, and each problem has a place in it.
@Suite struct MutationTests {
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func neverBreaks(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let inputs =
            try Golden.names(in: "dockerfile").map { try Golden.input(of: "dockerfile/\($0)") }
            + Golden.names(in: "dockerfile-checks").map { try Golden.input(of: "dockerfile-checks/\($0)") }
        for round in 0..<1000 {
            let text = mutated(inputs, &random)
            let (dockerfile, problems) = parseDockerfile(text, file: "Dockerfile")
            let found = checkDockerfile(
                dockerfile,
                text: text,
                target: nil,
                arguments: [:],
                ignore: Dockerignore("a*\n!ab")
            )
            for problem in problems + found {
                #expect(isInside(problem.position, text), "seed \(seed), round \(round): \(problem)\n\(text)")
            }
            let trigger = parseTrigger(text, file: "image")
            #expect(trigger.instruction != nil || trigger.diagnostics.hasErrors)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func expansionsNeverBreak(seed: UInt64) {
        var random = SplitMix(state: seed)
        let scraps =
            Self.scraps + [
                "A", "${A#", "${A%%", "${A//", "${B:?", "/", "-", "+", ":-", "x y", "1", "@", "[a-z]",
            ]
        for _ in 0..<2000 {
            let word = (0..<Int.random(in: 1...8, using: &random))
                .map { _ in scraps.randomElement(using: &random) ?? "" }.joined()
            let values = ["A": "some*value/with?é", "B": ""]
            for escape in ["\\", "`"] as [Character] {
                let names = variables(in: word, escape: escape)
                // What is asked for while expanding is what the word refers to.
                _ = try? expandWord(word, escape: escape) { name in
                    #expect(names.contains(name), "seed \(seed): \(word)")
                    return values[name]
                }
                _ = try? expandText(word, escape: escape) { values[$0] }
            }
        }
    }

    private func isInside(_ position: SourcePosition?, _ text: String) -> Bool {
        guard let position else { return false }
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        guard lines.indices.contains(position.line - 1) else { return false }
        // A byte order mark at the beginning counts for nothing.
        return (1...lines[position.line - 1].unicodeScalars.count + 1).contains(position.column)
    }

    private static let scraps = [
        "\\", "`", "\n", "\r\n", " ", "\t", "#", "\"", "'", "$", "${", "}", "=", ",", ":", "<<EOF", "\nEOF\n",
        "<<-", "[",
        "]", "--", "--mount=", "FROM ", "ONBUILD ", "RUN ", "COPY ", "ARG ", "é", "\u{301}", "\u{0}",
        "\u{FEFF}", "👩‍👩‍👧",
        "# check=", "# escape=`\n", "\r", "//", "%%", "##", "${A:-", "!", "*", "?",
    ]

    private func mutated(_ inputs: [String], _ random: inout SplitMix) -> String {
        var text = Array((inputs.randomElement(using: &random) ?? "").unicodeScalars)
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let place = Int.random(in: 0...text.count, using: &random)
            let end = min(text.count, place + Int.random(in: 0...12, using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0: text.removeSubrange(place..<end)
            case 1:
                text.insert(
                    contentsOf: (Self.scraps.randomElement(using: &random) ?? "").unicodeScalars,
                    at: place
                )
            case 2:
                text.insert(contentsOf: text[place..<end], at: Int.random(in: 0...text.count, using: &random))
            default:
                let other = Array((inputs.randomElement(using: &random) ?? "").unicodeScalars)
                text = Array(text[..<place]) + other.suffix(Int.random(in: 0...40, using: &random))
            }
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text)
        return String(view)
    }
}

/// The same numbers for the same seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
