import EscaleCore
import EscaleYAML
import Testing

@Suite struct YAMLDocumentTests {
    private func parsed(_ text: String) -> YAMLNode? {
        let (root, diagnostics) = YAMLDocument.parse(text: text, file: "t.yaml")
        #expect(diagnostics.isEmpty, "\(diagnostics.map { $0.rendered() })")
        return root
    }

    private func problems(_ text: String, limits: YAMLLimits = YAMLLimits()) -> [String] {
        YAMLDocument.parse(text: text, file: "t.yaml", limits: limits).diagnostics.map {
            "\($0.position?.line ?? 0):\($0.position?.column ?? 0) \($0.code)"
        }
    }

    @Test func everyValueKnowsItsPlace() throws {
        let root = try #require(parsed("a: 1\nb:\n  - x\n  - {c: \"é\", d: y}\n"))
        let b = try #require(root.mapping?["b"]?.sequence)
        #expect(b[0].position == SourcePosition(file: "t.yaml", line: 3, column: 5))
        let inner = try #require(b[1].mapping)
        #expect(inner.pairs[1].keyPosition == SourcePosition(file: "t.yaml", line: 4, column: 14))
        #expect(inner["d"]?.position == SourcePosition(file: "t.yaml", line: 4, column: 17))
    }

    @Test func keepsEveryScalarStyle() throws {
        let text = """
            plain: a b
            single: 'it''s'
            double: "a\\tb\\u00e9"
            literal: |
              one
              two
            folded: >-
              one
              two
            """
        let mapping = try #require(parsed(text)?.mapping)
        #expect(mapping["plain"]?.scalar == YAMLScalar("a b", style: .plain))
        #expect(mapping["single"]?.scalar == YAMLScalar("it's", style: .singleQuoted))
        #expect(mapping["double"]?.scalar == YAMLScalar("a\tbé", style: .doubleQuoted))
        #expect(mapping["literal"]?.scalar == YAMLScalar("one\ntwo\n", style: .literal))
        #expect(mapping["folded"]?.scalar == YAMLScalar("one two", style: .folded))
    }

    @Test(
        arguments: [
            ("~", .null), ("null", .null), ("NULL", .null), ("", .null), ("true", .bool(true)),
            ("False", .bool(false)),
            ("yes", .string("yes")), ("off", .string("off")), ("12:30", .string("12:30")), ("12", .int(12)),
            ("-7", .int(-7)), ("0o17", .int(15)), ("0x1F", .int(31)), ("0755", .int(755)),
            ("1.5", .float(1.5)),
            ("1.", .float(1)), (".5", .float(0.5)), ("1e3", .float(1000)), ("-.inf", .float(-.infinity)),
            ("1.2.3", .string("1.2.3")), (".", .string(".")), ("0x", .string("0x")),
            ("0x-1", .string("0x-1")),
            ("1_000", .string("1_000")), ("99999999999999999999", .float(1e20)),
            ("+", .string("+")), ("1e", .string("1e")),
        ] as [(String, YAMLScalar.Value)]
    )
    func typesPlainScalarsByTheCoreSchema(text: String, value: YAMLScalar.Value) {
        #expect(YAMLScalar(text, style: .plain).resolved() == value)
        #expect(YAMLScalar(text, style: .doubleQuoted).resolved() == .string(text))
    }

    @Test func tagsDecideTheType() throws {
        let mapping = try #require(parsed("a: !!str 5\nb: !!int \"5\"\nc: ! 5\nd: !reset x\n")?.mapping)
        #expect(mapping["a"]?.resolved == .string("5"))
        #expect(mapping["b"]?.resolved == .int(5))
        #expect(mapping["c"]?.resolved == .string("5"))
        #expect(mapping["d"]?.tag == "!reset")
    }

    @Test func aliasesKeepThePlaceOfTheirAnchor() throws {
        let mapping = try #require(parsed("a: &x {k: v}\nb: *x\n")?.mapping)
        #expect(mapping["a"] == mapping["b"])
        #expect(mapping["b"]?.mapping?["k"]?.position.line == 1)
    }

    @Test func explicitKeysWinOverMergedOnes() throws {
        let text = """
            one: &one {a: 1, b: 1}
            two: &two {b: 2, c: 2}
            both: {<<: [*one, *two], c: 3}
            after: {a: 9, <<: *one}
            quoted: {"<<": text}
            """
        let mapping = try #require(parsed(text)?.mapping)
        let both = try #require(mapping["both"]?.mapping)
        #expect(both.pairs.map(\.key) == ["c", "a", "b"])
        #expect(both["b"]?.resolved == .int(1))
        #expect(both["c"]?.resolved == .int(3))
        #expect(mapping["after"]?.mapping?["a"]?.resolved == .int(9))
        #expect(mapping["quoted"]?.mapping?["<<"]?.resolved == .string("text"))
    }

    @Test(
        arguments: [
            ("a: 1\na: 2\n", ["2:1 yaml.key.duplicate"]),
            ("x: &x {a: 1}\nb: {<<: *x, <<: *x}\n", ["2:13 yaml.key.duplicate"]),
            ("a: *x\nb: *y\n", ["1:4 yaml.alias.unknown", "2:4 yaml.alias.unknown"]),
            ("a: &x [1, *x]\n", ["1:11 yaml.alias.recursive"]),
            ("a: {<<: 5}\n", ["1:5 yaml.merge"]),
            ("a: {<<: [{b: 1}, x]}\n", ["1:5 yaml.merge"]),
            ("{a: 1}: b\n", ["1:1 yaml.key"]),
            ("a: 1\n---\nb: 2\n", ["2:1 yaml.documents"]),
            ("a:\n\t- x\n", ["2:1 yaml.tab"]),
            ("a:\n  b: 1\n\tc: 2\n", ["3:1 yaml.tab"]),
            ("a: b: c\n", ["1:5 yaml.syntax"]),
            ("a: \"b\n", ["1:4 yaml.syntax"]),
            ("a: [1, 2\nb: 3\n", ["1:4 yaml.syntax"]),
            ("a: @b\n", ["1:4 yaml.syntax"]),
            ("a: 1\n b: 2\n", ["2:3 yaml.syntax"]),
            ("a: \"\\q\"\n", ["1:5 yaml.syntax"]),
            ("a: \u{1}\n", ["1:4 yaml.syntax"]),
            ("just\nkey: v\n", ["2:4 yaml.syntax"]),
            ("a:\n  - 1\n  b: 2\n", ["3:3 yaml.syntax"]),
        ] as [(String, [String])]
    )
    func refusesWithAPosition(text: String, expected: [String]) {
        #expect(
            problems(text) == expected,
            "\(YAMLDocument.parse(text: text, file: "t").diagnostics.map { $0.rendered() })"
        )
    }

    @Test(arguments: ["", "\n\n", "# nothing\n", "---\n", "--- \n...\n"])
    func aFileWithoutContentHasNoRoot(text: String) { #expect(parsed(text) == nil) }

    @Test func windowsLineEndsAreLineEnds() throws {
        let mapping = try #require(parsed("a: 1\r\nb: two\r\n")?.mapping)
        #expect(mapping["b"]?.scalar?.text == "two")
        #expect(mapping["b"]?.position.line == 2)
        #expect(YAMLDocument.lines(of: "a: 1\r\nb: two\r\n") == ["a: 1", "b: two", ""])
    }

    @Test(.timeLimit(.minutes(1))) func aliasBombsAreRefused() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...20 {
            let inner = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(inner)]\n"
        }
        #expect(problems(text).map { $0.split(separator: " ")[1] } == ["yaml.limit"])
        let long = String(repeating: "x", count: 1 << 19)
        let aliases = String(repeating: "- *a\n", count: 100)
        #expect(problems("- &a \(long)\n" + aliases).map { $0.split(separator: " ")[1] } == ["yaml.limit"])
    }

    @Test func depthAndSizeAreLimited() {
        let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(problems(deep) == ["1:66 yaml.limit"])
        #expect(problems("a: " + String(repeating: "x", count: 2 << 20)) == ["1:4 yaml.limit"])
        var limits = YAMLLimits()
        limits.textBytes = 10
        #expect(problems("0123456789a", limits: limits) == ["1:1 yaml.limit"])
        limits.nodes = 3
        limits.textBytes = 100
        #expect(problems("[1, 2, 3]", limits: limits) == ["1:8 yaml.limit"])
    }

    @Test func bytesThatAreNoUTF8AreRefused() {
        let (root, diagnostics) = YAMLDocument.parse(
            bytes: Array("a: 1\nb: é".utf8) + [0xE9, 0x0A],
            file: "t.yaml"
        )
        #expect(root == nil)
        #expect(diagnostics.first?.code.rawValue == "yaml.encoding")
        #expect(diagnostics.first?.position == SourcePosition(file: "t.yaml", line: 2, column: 5))
        let wide = YAMLDocument.parse(bytes: [0xFF, 0xFE, 0x61, 0x00], file: "t.yaml").diagnostics
        #expect(wide.first?.message.contains("UTF-16") == true)
    }

    @Test func aByteOrderMarkIsNoContent() throws {
        let mapping = try #require(parsed("\u{FEFF}a: 1\n")?.mapping)
        #expect(mapping["a"]?.resolved == .int(1))
    }
}
