import EscaleCore
import EscaleDockerfile
import Testing

@Suite struct TriggerTests {
    @Test(arguments: [
        ("RUN make all", "RUN shell ⟨make all⟩"),
        ("copy --chown=1 . /src", "COPY ⟨.⟩ → ⟨/src⟩ chown=⟨1⟩"),
        ("RUN <<EOF\nmake\nEOF", "RUN shell ⟨make\n⟩"),
        (
            "COPY <<-A <<'B' /x/\n\t1\nA\n2\nB",
            "COPY inline A expands=true ⟨1\n⟩ inline B expands=false ⟨2\n⟩ → ⟨/x/⟩"
        ),
        ("RUN --mount=type=cache,target=/c a", "RUN shell ⟨a⟩ mount(cache target=⟨/c⟩)"),
        ("ARG A=1", "ARG A=⟨1⟩"), ("ENV A b c", "ENV A=⟨b c⟩"), ("CMD", "CMD shell ⟨⟩"),
        ("HEALTHCHECK NONE", "HEALTHCHECK none"), ("  USER x", "USER ⟨x⟩"), ("# note\nUSER x", "USER ⟨x⟩"),
    ])
    func readsOneInstruction(text: String, result: String) throws {
        let (instruction, diagnostics) = parseTrigger(text, file: "image")
        #expect(diagnostics.isEmpty)
        #expect(dump(try #require(instruction).kind) == result)
    }

    @Test(arguments: [
        ("", "image:1:1: error[dockerfile.onbuild]: the trigger is empty"),
        (
            "RUN a\nRUN b",
            "image:2:1: error[dockerfile.onbuild]: a trigger is one instruction, this is another"
        ),
        ("RUN", "image:1:1: error[dockerfile.syntax]: RUN needs an argument"),
        (
            "FROM a",
            "image:1:1: error[dockerfile.onbuild]: FROM can't be a trigger of ONBUILD\n"
                + "  hint: any instruction but FROM, MAINTAINER and ONBUILD can"
        ),
        (
            "ONBUILD RUN a",
            "image:1:1: error[dockerfile.onbuild]: ONBUILD can't be a trigger of ONBUILD\n"
                + "  hint: write ONBUILD once"
        ),
        (
            "CPOY a b",
            "image:1:1: error[dockerfile.unknown-instruction]: unknown instruction CPOY\n"
                + "  hint: did you mean COPY?"
        ),
    ])
    func saysWhatIsWrong(text: String, message: String) {
        let diagnostics = parseTrigger(text, file: "image").diagnostics
        #expect(diagnostics.map { $0.rendered() } == [message])
    }

    /// What the parser keeps of an ONBUILD can be read again.
    @Test(arguments: [
        "RUN a \\\n b", "RUN <<EOF\na\n\nEOF", "COPY <<A <<-B /d/\n1\nA\n\t2\n\tB", "ENV A=\"b c\"",
    ])
    func keepsTriggersReadable(text: String) throws {
        let (dockerfile, diagnostics) = parseDockerfile("FROM a\nONBUILD \(text)", file: "Dockerfile")
        #expect(diagnostics.isEmpty)
        guard case .onBuild(let kept)? = dockerfile.stages[0].instructions.first?.kind else {
            Issue.record("there is no trigger")
            return
        }
        let direct = parseDockerfile("FROM a\n\(text)", file: "Dockerfile").dockerfile
        #expect(
            parseTrigger(kept, file: "image").instruction?.kind == direct.stages[0].instructions.first?.kind
        )
    }
}
