import EscaleCore
import EscaleTestSupport
import EscaleYAML
import Testing

@Suite struct YAMLWriterTests {
    private func readBack(_ text: String) -> YAMLValue? {
        let (root, diagnostics) = YAMLDocument.parse(text: text, file: "t.yaml")
        #expect(diagnostics.isEmpty, "\(diagnostics.map { $0.rendered() })\n\(text)")
        return root.map { YAMLValue($0) }
    }

    @Test func writesBlocks() {
        let tree = YAMLValue.map([
            .init("name", .string("shop")),
            .init("empty", .map([])),
            .init(
                "services",
                .map([
                    .init(
                        "web",
                        .map([
                            .init("command", .list([.string("sh"), .string("-c"), .string("a\nb\n")])),
                            .init("on", .string("yes")),
                            .init(
                                "nested",
                                .list([
                                    .list([.int(1), .null]),
                                    .map([.init("a", .bool(true)), .init("b", .list([]))]),
                                ])
                            ),
                        ])
                    )
                ])
            ),
        ])
        #expect(
            YAMLWriter.text(tree) == """
                name: shop
                empty: {}
                services:
                  web:
                    command:
                      - sh
                      - -c
                      - |
                        a
                        b
                    "on": "yes"
                    nested:
                      - - 1
                        - null
                      - a: true
                        b: []

                """
        )
        #expect(readBack(YAMLWriter.text(tree)) == tree)
    }

    @Test(arguments: [
        "", " ", "a", "a ", " a", "true", "no", "Y", "null", "~", "5", "-5", "0x1", "1.5", "1e3", "12:30:45",
        "2024-01-01",
        "0755", "1_000", "a: b", "a:", "a #b", "#a", "- a", "-", "?", "---", "[a", "{a", "*a", "&a", "!a",
        "|", ">", "%", "@",
        "`", "'", "\"", "it's", "a\"b", "a\\b", "a\nb", "a\n", "a\n\n", "\na", "a\n  b\n", " a\nb", "a \nb",
        "\t", "a\tb",
        "a\tb\nc", "\u{7}", "\r\n", "é", "日本", "👩‍👩‍👧", "\u{FEFF}x", "\u{85}", "\u{2028}", "./x", "..", ".", "=",
        "<<", "a,b", "{}", "[]",
        "a]b", "8080:80", "127.0.0.1:80", "100m", "$$x", "key: |", "x: y\nz", "a\n\n\nb\n\n", "\n", "\n\n",
        "a: \u{200D}b", "a \u{301}#b", "\u{301}a", "- \u{301}a",
    ])
    func everyStringComesBack(text: String) {
        for tree in [
            YAMLValue.string(text), .list([.string(text)]), .map([.init("k", .string(text))]),
            .map([.init("k", .list([.map([.init("l", .string(text)), .init("m", .string(text))])]))]),
        ] {
            #expect(readBack(YAMLWriter.text(tree)) == tree, "\(YAMLWriter.text(tree))")
            #expect(readBack(JSONWriter.text(tree)) == tree, "\(JSONWriter.text(tree))")
        }
        let keyed = YAMLValue.map([.init(text, .int(1))])
        for tree in [keyed, .list([keyed])] { #expect(readBack(YAMLWriter.text(tree)) == tree, "\(YAMLWriter.text(tree))") }
    }

    @Test func randomTreesComeBack() {
        for seed in 0..<300 as Range<UInt64> {
            var generator = Seeded(seed)
            let tree = YAMLValue.map([.init("root", randomTree(depth: 4, &generator))])
            #expect(readBack(YAMLWriter.text(tree)) == tree, "seed \(seed)")
            #expect(readBack(JSONWriter.text(tree)) == tree, "seed \(seed)")
        }
    }

    private func randomTree(depth: Int, _ generator: inout Seeded) -> YAMLValue {
        switch Int.random(in: 0..<(depth == 0 ? 4 : 7), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .int(.random(in: .min ... .max, using: &generator))
        case 3: return .string(randomText(&generator))
        case 4: return .string(randomText(&generator) + "\n" + randomText(&generator))
        case 5:
            return .list(
                (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                    randomTree(depth: depth - 1, &generator)
                }
            )
        default:
            return .map(
                (0..<Int.random(in: 0...3, using: &generator)).map { index in
                    .init("\(index)\(randomText(&generator))", randomTree(depth: depth - 1, &generator))
                }
            )
        }
    }

    private func randomText(_ generator: inout Seeded) -> String {
        let alphabet = Array("ab1 :#-?[]{}&*!|>'\"%@`,\\\t\n.~é$/=<")
        return String(
            (0..<Int.random(in: 0...6, using: &generator)).compactMap { _ in
                alphabet.randomElement(using: &generator)
            }
        )
    }
}
