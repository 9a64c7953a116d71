import EscaleCore
import Testing

@Suite struct UnitsTests {
    @Test(arguments: [
        ("1m30s", 90_000_000_000), ("40s", 40_000_000_000), ("1h5m30s20ms", 3_930_020_000_000), ("500us", 500_000),
        ("1.5s", 1_500_000_000), ("0", 0), ("1w2d", 777_600_000_000_000),
    ] as [(String, Int64)])
    func readsDurations(text: String, nanoseconds: Int64) {
        #expect(Duration(compose: text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: ["", "5", "s", "1 s", "1x", "-1s", "1s5"])
    func refusesDurations(text: String) { #expect(Duration(compose: text) == nil) }

    @Test(arguments: [("1m30s", "1m30s"), ("90s", "1m30s"), ("1500ms", "1s500ms"), ("0", "0s")])
    func writesDurations(text: String, canonical: String) {
        #expect(Duration(compose: text)?.composeText == canonical)
    }

    @Test(arguments: [("300m", 314_572_800), ("1gb", 1_073_741_824), ("64K", 65536), ("10", 10), ("0.5k", 512), ("1t", 1_099_511_627_776), ("2MiB", 2_097_152)]
        as [(String, Int64)])
    func readsBytes(text: String, bytes: Int64) { #expect(ByteCount(compose: text)?.rawValue == bytes) }

    @Test(arguments: ["", "m", "-1", "1e", "1 m", "1..2k", "1bib", "1kbb"])
    func refusesBytes(text: String) { #expect(ByteCount(compose: text) == nil) }

    @Test(arguments: [(999, "999B"), (1000, "1kB"), (1_234_567, "1.23MB"), (340_000_000, "340MB"), (12_345, "12.3kB")]
        as [(Int64, String)])
    func writesBytes(bytes: Int64, text: String) { #expect(ByteCount(bytes).description == text) }

    @Test func timestampsComeBack() {
        for nanoseconds: Int64 in [0, 1, 1_795_215_241_123_456_789, 951_782_400_000_000_000, -1] {
            let text = Timestamp(nanoseconds: nanoseconds).description
            #expect(Timestamp(text)?.nanoseconds == nanoseconds, "\(text)")
        }
        #expect(Timestamp("2000-02-29T01:00:00+01:00")?.description == "2000-02-29T00:00:00.000000000Z")
        // Go's zero, "for ever" and what is just too far: from strangers, who must not end the daemon.
        for text in ["0001-01-01T00:00:00Z", "0000-01-01T00:00:00+23:59", "1677-09-21T00:12:43.1Z"] {
            #expect(Timestamp(text)?.nanoseconds == .min, "\(text)")
        }
        for text in ["9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-23:59", "2262-04-11T23:47:16.9Z"] {
            #expect(Timestamp(text)?.nanoseconds == .max, "\(text)")
        }
        let (first, last) = (Timestamp(nanoseconds: .min), Timestamp(nanoseconds: .max))
        #expect(last - first > .seconds(18_000_000_000) && first - last < .zero)
        #expect(last + .seconds(1) == last && first + .seconds(-1) == first && first + .seconds(1) > first)
        #expect(Timestamp("2000-02-29") == nil)
        #expect(Timestamp("2000-13-29T00:00:00Z") == nil)
    }
}
