import EscaleFuzz
import Glibc
import Testing

/// Random and damaged compose files: a load says something about them or loads them, and never crashes or hangs.
///
/// The same inputs every time, so that a change is told by it; the program escale-fuzz takes others for as long as one
/// likes, and watches time and memory.
@Suite struct MutationTests {
    private static let corpus = FuzzCorpus(directory: GoldenCase.directory)

    @Test(arguments: FuzzInput.Kind.allCases)
    func noInputBreaksTheLoader(kind: FuzzInput.Kind) {
        #expect(!Self.corpus.isEmpty)
        let seed = getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
        print("\(kind.rawValue): seed \(seed) (repeat with SEED=\(seed))")
        for offset in 0..<(kind == .hostile ? 20 : 2000) as Range<UInt64> {
            let input = FuzzInput(kind, seed: seed + offset, corpus: Self.corpus)
            if let fault = FuzzCheck.fault(of: input) {
                Issue.record("seed \(seed + offset): \(fault)\n\(input.text.prefix(4000))")
                return
            }
        }
    }
}
