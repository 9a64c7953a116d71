import EscaleFuzz
import Glibc

// Loads random compose files for as long as it is told to. Prints a seed with which a run repeats; ends with 1 if
// an input crashes, takes too long or too much memory (at once), or breaks what must hold for every load.
//
// usage: escale-fuzz CORPUS [--inputs N] [--seed N] [--kinds KIND,…]    a run over inputs from N on
//        escale-fuzz CORPUS --seed N --inputs 1 --show                  prints the input too

let options = FuzzOptions(Array(CommandLine.arguments.dropFirst()))
let corpus = FuzzCorpus(directory: options.corpus)
guard !corpus.isEmpty else { fail("no golden files in \(options.corpus)") }

say("escale-fuzz: \(options.inputs) inputs from seed \(options.seed)")
Watch.begin()
var counts: [FuzzInput.Kind: Int] = [:]
var causes: Set<String> = []
for index in 0..<options.inputs {
    let seed = options.seed &+ index
    let kind = options.kind(of: seed)
    Watch.enter(seed)
    let input = FuzzInput(kind, seed: seed, corpus: corpus)
    if options.shows { say(input.text) }
    if let fault = FuzzCheck.fault(of: input), causes.insert(fault.cause).inserted {
        say("escale-fuzz: seed \(seed) (\(kind.rawValue)): \(String("\(fault)".prefix(3000)))")
    }
    if let excess = Watch.excess() { fail("seed \(seed) (\(kind.rawValue)): \(excess)") }
    counts[kind, default: 0] += 1
    if index % 1_000_000 == 999_999 { say("  \(index + 1) inputs, peak \(Watch.peak >> 20) MiB") }
}
let kinds = FuzzInput.Kind.allCases.compactMap { kind in counts[kind].map { "\($0) \(kind.rawValue)" } }
say("  \(kinds.joined(separator: ", ")); peak memory \(Watch.peak >> 20) MiB")
if !causes.isEmpty { fail("\(causes.count) faults") }

/// Prints at once: what comes next may end the program.
func say(_ text: String) {
    print(text)
    fflush(nil)
}

func fail(_ message: String) -> Never {
    say("escale-fuzz: \(message)")
    exit(1)
}
