import EscaleTestSupport

/// Bytes without a plan.
enum RandomBytes {
    private static let signs = Array("\n\n  --::[]{}&*!|>'\"%@`#?,<=~$ab01\t".utf8)

    static func make(_ random: inout Seeded) -> [UInt8] {
        let count = Int.random(in: 0...(random.once(in: 50) ? 4000 : 80), using: &random)
        // All signs, or some share of anything.
        let wild = Int.random(in: 1...40, using: &random)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for _ in 0..<count {
            bytes.append(
                random.once(in: wild) ? UInt8.random(in: 0...255, using: &random) : random.one(of: signs)
            )
        }
        return bytes
    }
}
