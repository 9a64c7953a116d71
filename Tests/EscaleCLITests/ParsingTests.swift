import EscaleCLI
import EscaleTestExpectations
import Testing

@Suite("Reading the command line")
struct ParsingTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        let words: [String]
        let message: String
        let hint: String
        var testDescription: String { words.joined(separator: " ") }
    }

    static let refusals = [
        Refusal(words: ["upp"], message: "unknown command `escale upp`", hint: "did you mean `escale up`?"),
        Refusal(
            words: ["image", "lss"],
            message: "unknown command `escale image lss`",
            hint: "did you mean `escale image ls`?"
        ),
        Refusal(words: ["up", "--biuld"], message: "unknown flag --biuld", hint: "did you mean --build?"),
        Refusal(words: ["up", "--zzz"], message: "unknown flag --zzz", hint: "see `escale up --help`"),
        Refusal(
            words: ["up", "-f", "x.yaml"],
            message: "unknown flag -f",
            hint: "it is a global flag and goes before the command: `escale -f … up`"
        ),
        Refusal(
            words: ["up", "--scale", "web"],
            message:
                "invalid value \"web\" for --scale: must be SERVICE=NUM with a number from 0 to 1000, such as web=3",
            hint: "see `escale up --help`"
        ),
        Refusal(
            words: ["up", "--watch"],
            message: "--watch of `escale up` is not available yet",
            hint: "run `escale watch` beside it"
        ),
        Refusal(
            words: ["convert"],
            message: "`escale convert` is not available yet",
            hint: "use `escale config`"
        ),
        Refusal(
            words: ["stop", "-t", "soon"],
            message:
                "invalid value \"soon\" for -t: must be a number of seconds, or a duration such as 1m30s",
            hint: "see `escale stop --help`"
        ),
        Refusal(
            words: ["down", "-t"],
            message: "-t needs a value: -t SECONDS",
            hint: "see `escale down --help`"
        ),
        Refusal(
            words: ["ps", "--format=xml"],
            message: "invalid value \"xml\" for --format: must be table, json or yaml",
            hint: "see `escale ps --help`"
        ),
        Refusal(
            words: ["port", "web"],
            message: "`escale port` needs SERVICE PRIVATE_PORT",
            hint: "see `escale port --help`"
        ),
        Refusal(
            words: ["down", "web"],
            message: "`escale down` takes no arguments, but \"web\" was given",
            hint: "see `escale down --help`"
        ),
        Refusal(
            words: ["release", "show", "seven"],
            message: "\"seven\" is not a release: it must be a number from 1 on",
            hint: "`escale release ls` lists them"
        ),
        Refusal(
            words: ["rollback", "0"],
            message: "\"0\" is not a release: it must be a number from 1 on",
            hint: "`escale release ls` lists them"
        ),
        Refusal(
            words: ["release", "diff", "1", "2", "3"],
            message: "`escale release diff` takes only [RELEASE [RELEASE]], but \"3\" was given too",
            hint: "see `escale release diff --help`"
        ),
        Refusal(
            words: ["release", "abrt"],
            message: "unknown command `escale release abrt`",
            hint: "did you mean `escale release abort`?"
        ),
        Refusal(
            words: ["up", "--strategy", "canari"],
            message: "invalid value \"canari\" for --strategy: must be rolling, blue-green or canary",
            hint: "did you mean canary?"
        ),
        Refusal(
            words: ["up", "--wait", "--no-wait"],
            message: "--wait and --no-wait exclude each other",
            hint: "without both it waits for the end of a release"
        ),
        Refusal(
            words: ["system", "reset"],
            message: "this removes every project, volume and image under /nowhere/state, for good",
            hint: "if that is what you want: `escale system reset --yes`"
        ),
    ]

    @Test("Wrong usage ends with 2 and says what to do", arguments: refusals)
    func refusal(_ refusal: Refusal) async {
        let outcome = await Terminal().run(refusal.words, environment: ["ESCALE_ROOT": "/nowhere"])
        #expect(outcome.code == 2)
        #expect(outcome.error == "error: \(refusal.message)\nhint: \(refusal.hint)\n")
        #expect(outcome.output.isEmpty)
    }

    @Test("No command prints the help to standard error and ends with 2")
    func nothing() async {
        let outcome = await escale()
        #expect(outcome.code == 2)
        #expect(outcome.error.hasPrefix("Usage:  escale [OPTIONS] COMMAND\n"))
    }

    @Test(
        "Help is the same however it is asked for",
        arguments: [["up", "--help"], ["up", "web", "-h"], ["help", "up"]]
    )
    func help(_ words: [String]) async {
        let outcome = await Terminal().run(words)
        #expect(outcome.code == 0)
        #expect(outcome.output.hasPrefix("Usage:  escale up [OPTIONS] [SERVICE...]\n"))
    }

    @Test("Help texts are the checked-in ones", arguments: ["", "up", "exec", "image", "image import", "release"])
    func helpSnapshot(_ command: String) async throws {
        let words = command.split(separator: " ").map(String.init)
        let outcome = await Terminal().run(words + ["--help"])
        try expectGolden(
            outcome.output,
            "Tests/Golden/cli/help-\(words.isEmpty ? "root" : words.joined(separator: "-")).txt"
        )
    }

    @Test("The reference page is what the tables say")
    func reference() throws {
        try expectGolden(ReferencePage.markdown(), "docs/reference/cli.md")
    }

    @Test("Every flag's short form is used once per command, and all have help")
    func tables() {
        for entry in ReferencePage.commands {
            let shorts = entry.flags.compactMap(\.short)
            #expect(Set(shorts).count == shorts.count, "\(entry.path)")
            #expect(entry.flags.allSatisfy { !$0.help.isEmpty && !$0.help.hasSuffix(".") }, "\(entry.path)")
        }
    }
}
