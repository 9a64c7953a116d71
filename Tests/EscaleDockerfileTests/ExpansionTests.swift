import EscaleCore
import EscaleDockerfile
import Testing

@Suite struct ExpansionTests {
    private let values = ["A": "one", "B": "two words", "EMPTY": "", "PATH": "/bin", "n1": "x"]

    /// The table of Docker's own lexer, shortened.
    @Test(arguments: [
        ("plain", "plain"), ("$A", "one"), ("${A}", "one"), ("$A$A", "oneone"), ("x${A}y", "xoney"),
        ("$Ay", ""),
        ("$UNSET", ""), ("${UNSET}", ""), ("\\$A", "$A"), ("'$A'", "$A"), ("\"$A\"", "one"),
        ("\"\\$A\"", "$A"),
        ("'a\\b'", "a\\b"), ("\"a\\b\"", "a\\b"), ("a\\b", "ab"), ("a\\ b", "a b"), ("\"a\\\"b\"", "a\"b"),
        ("\\\\", "\\"), ("${A:-x}", "one"), ("${UNSET:-x}", "x"), ("${EMPTY:-x}", "x"), ("${EMPTY-x}", ""),
        ("${UNSET-x}", "x"), ("${A:+x}", "x"), ("${EMPTY:+x}", ""), ("${EMPTY+x}", "x"), ("${UNSET:+x}", ""),
        ("${UNSET:-${A}}", "one"), ("${UNSET:-$B}", "two words"), ("${UNSET:-\"a}b\"}", "a}b"),
        ("${A:?no}", "one"),
        ("$", "$"), ("a$", "a$"), ("$$A", "$one"), ("/app/bin:$PATH", "/app/bin:/bin"), ("$n1", "x"),
        ("$1A", "A"),
        ("a'b'\"c\"d", "abcd"), ("é$A", "éone"), ("${UNSET:-}", ""),
    ])
    func expands(word: String, result: String) throws {
        #expect(try expandWord(word) { values[$0] } == result)
    }

    @Test(arguments: [
        "${A", "${}", "'open", "\"open", "${A:x}", "${A#x}", "${UNSET:?must be set}", "${EMPTY:?}", "${A:-x",
    ])
    func refuses(word: String) {
        #expect { try expandWord(word) { values[$0] } } throws: {
            ($0 as? EscaleError)?.code.rawValue == "dockerfile.expansion"
        }
    }

    @Test func theEscapeCharacterCanBeAnother() throws {
        #expect(try expandWord("C:\\x`$A$A", escape: "`") { values[$0] } == "C:\\x$Aone")
    }

    @Test func textsKeepTheirQuotes() throws {
        #expect(try expandText("a \"$A\" '$A' \\$A \\n", value: { values[$0] }) == "a \"one\" 'one' $A \\n")
    }
}
