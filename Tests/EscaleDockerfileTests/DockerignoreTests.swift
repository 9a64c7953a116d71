import EscaleDockerfile
import Testing

@Suite struct DockerignoreTests {
    @Test(arguments: [
        ("node_modules", ["node_modules", "node_modules/a/b"], ["src/node_modules", "node_modules2"]),
        ("**/node_modules", ["node_modules", "a/node_modules", "a/b/node_modules/c"], ["a/node_modulesx"]),
        ("*.log", ["a.log"], ["dir/a.log", "a.logx"]),
        ("**/*.log", ["a.log", "dir/a.log", "a/b/c.log"], ["a.txt"]),
        ("/dist/", ["dist", "dist/x"], ["a/dist"]),
        ("./a/../b", ["b"], ["a"]),
        ("a/*/c", ["a/b/c", "a/b/c/d"], ["a/c", "a/b/x/c"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a/b"]),
        ("file?.txt", ["file1.txt"], ["file.txt", "file12.txt", "file/.txt"]),
        ("[a-c]x", ["ax", "cx"], ["dx"]),
        ("[^a-c]x", ["dx"], ["ax"]),
        ("\\*", ["*"], ["a"]),
        ("*\n!keep", ["drop", "other/x"], ["keep", "keep/x"]),
        ("*\n!keep\nkeep/secret", ["drop", "keep/secret"], ["keep/x"]),
        ("docs\n!docs/README.md", ["docs", "docs/a"], ["docs/README.md"]),
        ("# comment\n\n  spaced  \n!", ["spaced"], ["# comment", "comment"]),
        (".", [], ["a"]),
        ("a[", [], ["a["]),
    ])
    func decides(text: String, ignored: [String], kept: [String]) {
        let ignore = Dockerignore(text)
        for path in ignored { #expect(ignore.ignores(path), "\(path)") }
        for path in kept { #expect(!ignore.ignores(path), "\(path)") }
    }

    @Test(arguments: [
        ("*.txt", "a.txt", true), ("*.txt", "d/a.txt", false), ("a?c", "abc", true), ("[ab]*", "bcd", true),
        ("**", "a", true), ("[", "[", true), ("\\[x]", "[x]", true),
    ])
    func matchesPatternsOfCopy(pattern: String, path: String, matches: Bool) {
        #expect(pathMatches(path, pattern: pattern) == matches)
    }
}
