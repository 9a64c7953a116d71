import EscaleFuzz
import Glibc

/// What the command line asks for.
struct FuzzOptions {
    var corpus = "Tests/Golden/compose"
    var inputs: UInt64 = 100_000
    var seed = UInt64.random(in: 0...1_000_000) << 24
    var kinds: [FuzzInput.Kind] = []
    var shows = false

    init(_ words: [String]) {
        var rest = words[...]
        while let word = rest.popFirst() {
            switch word {
            case "--inputs": inputs = Self.number(rest.popFirst(), after: word)
            case "--seed": seed = Self.number(rest.popFirst(), after: word)
            case "--kinds":
                kinds = (rest.popFirst() ?? "").split(separator: ",").compactMap { .init(rawValue: String($0)) }
            case "--show": shows = true
            default: corpus = word
            }
        }
    }

    /// The kind of the seed's input. Hostile ones are slow and few; what is mutated is a tenth, as it takes longest.
    func kind(of seed: UInt64) -> FuzzInput.Kind {
        if !kinds.isEmpty { return kinds[Int(seed % UInt64(kinds.count))] }
        switch seed % 2000 {
        case 0: return .hostile
        case 1..<200: return .mutated
        case 200..<600: return .compose
        case 600..<1300: return .yaml
        default: return .bytes
        }
    }

    private static func number(_ text: String?, after flag: String) -> UInt64 {
        guard let text, let number = UInt64(text) else { fail("\(flag) needs a number") }
        return number
    }
}
