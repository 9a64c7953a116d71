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
        "${A", "${}", "'open", "\"open", "${A:x}", "${UNSET:?must be set}", "${EMPTY:?}", "${A:-x",
    ])
    func refuses(word: String) {
        #expect { try expandWord(word) { values[$0] } } throws: {
            ($0 as? EscaleError)?.code.rawValue == "dockerfile.expansion"
        }
    }

    private let paths = [
        "P": "/usr/local/lib", "F": "foo.tar.gz", "V": "1.2.3", "STAR": "a*b*c", "E": "", "PAT": "*.",
        "Q": "a?b",
        "U": "héé wörld", "L": "aaa",
    ]

    /// The modifiers with shell patterns.
    @Test(arguments: [
        ("${P#/}", "usr/local/lib"), ("${P#*/}", "usr/local/lib"), ("${P##*/}", "lib"),
        ("${P%/*}", "/usr/local"),
        ("${P%%/*}", ""), ("${P#usr}", "/usr/local/lib"), ("${P%lib}", "/usr/local/"),
        ("${P#}", "/usr/local/lib"),
        ("${F%.*}", "foo.tar"), ("${F%%.*}", "foo"), ("${F#*.}", "tar.gz"), ("${F##*.}", "gz"),
        ("${F#?}", "oo.tar.gz"),
        ("${F%???}", "foo.tar"), ("${F#foo}", ".tar.gz"), ("${F%gz}", "foo.tar."), ("${F##*}", ""),
        ("${F#*}", "foo.tar.gz"),
        ("${V/./-}", "1-2.3"), ("${V//./-}", "1-2-3"), ("${V/1*3/x}", "x"), ("${V//?/x}", "xxxxx"),
        ("${V/9/x}", "1.2.3"),
        ("${V//./}", "123"), ("${V//.}", "123"), ("${V/.}", "12.3"), ("${V/./$F}", "1foo.tar.gz2.3"),
        ("${V///x}", "1.2.3"),
        ("${STAR/\\*/-}", "a-b*c"), ("${STAR//\\*/-}", "a-b-c"), ("${STAR//\"*\"/-}", "a-b-c"),
        ("${STAR//'*'/}", "abc"),
        ("${STAR#*\\*}", "b*c"), ("${STAR##*\\*}", "c"), ("${Q/\\?/!}", "a!b"), ("${Q//?/!}", "!!!"),
        ("${F#$PAT}", "tar.gz"), ("${F##${PAT}}", "gz"), ("${P//\\//_}", "_usr_local_lib"),
        ("${P/\\/usr/\\/opt}", "/opt/local/lib"),
        ("${E#x}", ""), ("${E/*/x}", "x"), ("${E/?/x}", ""), ("${UNSET#x}", ""), ("${UNSET//a/b}", ""),
        ("${UNSET%%*}", ""),
        ("${U#?é}", "é wörld"), ("${U//é/e}", "hee wörld"), ("${U%% *}", "héé"), ("${L/a/b}", "baa"),
        ("${L//a/b}", "bbb"),
        ("${L//aa/b}", "ba"), ("${L#[a]}", "aaa"), ("${V%\"${V#*.}\"}", "1."), ("v${V%%.*}x", "v1x"),
        ("\"${F%.gz} x\"", "foo.tar x"),
        ("${UNSET:-${F%%.*}}", "foo"), ("${F/#foo/x}", "foo.tar.gz"), ("${V/2/{x}}", "1.{x.3}"),
    ])
    func cutsByPatterns(word: String, result: String) throws {
        #expect(try expandWord(word) { paths[$0] } == result)
    }

    /// Each of `-`, `+` and `?`, with and without a colon, for a variable that is set, empty or unset.
    @Test(arguments: [
        ("${F-x}", "foo.tar.gz"), ("${F:-x}", "foo.tar.gz"), ("${E-x}", ""), ("${E:-x}", "x"),
        ("${N-x}", "x"), ("${N:-x}", "x"),
        ("${F+x}", "x"), ("${F:+x}", "x"), ("${E+x}", "x"), ("${E:+x}", ""), ("${N+x}", ""), ("${N:+x}", ""),
        ("${F?x}", "foo.tar.gz"), ("${F:?x}", "foo.tar.gz"), ("${E?x}", ""), ("${N:-a b}", "a b"),
        ("${N:-'$F'}", "$F"),
        ("${N:-${M:-${K:-deep}}}", "deep"), ("${F:+${E:+a}b}", "b"), ("${N:-a\\}b}", "a}b"),
        ("${N:-\"}\"}", "}"),
    ])
    func choosesByBeingSet(word: String, result: String) throws {
        #expect(try expandWord(word) { paths[$0] } == result)
    }

    @Test(arguments: [
        ("${E:?}", "can't expand ${E:?}: E: not set"), ("${N?say so}", "can't expand ${N?say so}: N: say so"),
        ("${N:?$F}", "can't expand ${N:?$F}: N: foo.tar.gz"),
        ("${F", "can't expand ${F: the closing } is missing"),
        ("${F:", "can't expand ${F:: the closing } is missing"),
        ("${F#a", "can't expand ${F#a: the closing } is missing"),
        ("${F/a/b", "can't expand ${F/a/b: the closing } is missing"),
        ("${F#a\\", "can't expand ${F#a\\: nothing follows the last \\"),
        ("${F^}", "can't expand ${F^}: what follows the name must be }, :-, :+, :?, #, % or /"),
        ("${F:=x}", "can't expand ${F:=x}: what follows the name must be }, :-, :+, :?, #, % or /"),
        ("${}", "can't expand ${}: there is no variable's name between the braces"),
        ("${-x}", "can't expand ${-x}: there is no variable's name between the braces"),
        ("a'b", "can't expand a'b: a single quote is not closed"),
        ("a\"b\\\"", "can't expand a\"b\\\": a double quote is not closed"),
    ])
    func saysWhatIsWrong(word: String, message: String) {
        #expect { try expandWord(word) { paths[$0] } } throws: { ($0 as? EscaleError)?.message == message }
    }

    @Test func bracesCanBeNestedOnlySoDeep() {
        let word = String(repeating: "${N:-", count: 5000) + String(repeating: "}", count: 5000)
        #expect(throws: EscaleError.self) { try expandWord(word) { _ in nil } }
    }

    @Test(arguments: [
        ("$A${B}", ["A", "B"]), ("$A$A", ["A"]), ("'$A' \"$B\" \\$C", ["B"]), ("${A:-$B}", ["A", "B"]),
        ("${A:?no $B}", ["A", "B"]),
        ("${A#$B} ${C/$D/$E}", ["A", "B", "C", "D", "E"]), ("$A ${B", ["A"]), ("plain $", []),
        ("$1 ${2}", ["1", "2"]),
    ])
    func namesVariables(word: String, names: [String]) {
        #expect(variables(in: word, escape: "\\") == names)
    }

    @Test func theEscapeCharacterCanBeAnother() throws {
        #expect(try expandWord("C:\\x`$A$A", escape: "`") { values[$0] } == "C:\\x$Aone")
        #expect(try expandWord("${F#*`.}", escape: "`") { paths[$0] } == "tar.gz")
        #expect(variables(in: "`$A \\$B", escape: "`") == ["B"])
    }

    @Test func textsKeepTheirQuotes() throws {
        #expect(try expandText("a \"$A\" '$A' \\$A \\n", value: { values[$0] }) == "a \"one\" 'one' $A \\n")
        #expect(try expandText("'${F%.*}' \"${N:-x}\"", value: { paths[$0] }) == "'foo.tar' \"x\"")
    }
}
