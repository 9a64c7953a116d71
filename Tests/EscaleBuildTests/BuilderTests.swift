import EscaleArchive
import EscaleBuild
import EscaleCore
import EscaleImages
import EscaleOCI
import EscaleSystem
import Glibc
import Testing

@Suite struct BuilderTests {
    @Test func buildsAnImage() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("app/main.sh", "echo hi\n", mode: 0o755)
        try fixture.file("app/.env", "x")
        let image = try await fixture.build(
            """
            ARG TAG=latest
            FROM base:$TAG
            ARG GREETING=hello
            ENV NAME=world MESSAGE="$GREETING you"
            WORKDIR /srv
            WORKDIR app
            COPY app/ .
            RUN echo "$GREETING $NAME $MESSAGE" > /result
            USER app
            EXPOSE 80 8000-8001/udp
            VOLUME /data
            LABEL a=$NAME
            HEALTHCHECK --interval=5s CMD true
            STOPSIGNAL SIGINT
            CMD ["./main.sh"]
            """,
            arguments: ["GREETING": "moin"]
        )
        #expect(try fixture.read("/result", image) == "moin world moin you\n")
        #expect(try fixture.read("/srv/app/main.sh", image) == "echo hi\n")
        #expect(try fixture.read("/srv/app/.env", image) == "x")
        let config = image.config.config
        #expect(config.workingDirectory == "/srv/app")
        #expect(config.user == "app")
        #expect(config.exposedPorts == ["80/tcp", "8000/udp", "8001/udp"])
        #expect(config.volumes == ["/data"])
        #expect(config.labels == ["a": "world"])
        #expect(config.healthcheck?.test == .shell("true"))
        #expect(config.healthcheck?.interval == .seconds(5))
        #expect(config.stopSignal == "SIGINT")
        #expect(config.command == ["./main.sh"])
        #expect(config.environmentByName["MESSAGE"] == "moin you")
        #expect(config.environmentByName["GREETING"] == nil)
        #expect(image.config.history.count == 14 - 1)
        #expect(image.layers.count == 5)
        #expect(
            try FileStatus(
                "\(fixture.store.layersDirectory)/\(fixture.store.lowerDirectories(of: image)[1])/srv/app/main.sh"
            )?.permissions == 0o755
        )
        #expect(try Files.list(fixture.path + "/store/tmp").isEmpty)
    }

    @Test func anUnchangedRebuildDoesNothing() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("a", "1")
        let dockerfile = """
            FROM base AS one
            COPY a /a
            RUN cat /a > /b
            FROM base
            COPY --from=one /b /c
            CMD ["x"]
            """
        let first = try await fixture.build(dockerfile)
        #expect(fixture.runs == 1)
        let second = try await fixture.build(dockerfile)
        #expect(second == first)
        #expect(fixture.runs == 1)
        // A touched file is an unchanged file.
        #expect(utimes(fixture.context + "/a", nil) == 0)
        #expect(try await fixture.build(dockerfile).id == first.id)
        try fixture.file("a", "2")
        let third = try await fixture.build(dockerfile)
        #expect(third.id != first.id)
        #expect(try fixture.read("/c", third) == "2")
        #expect(fixture.runs == 2)
        // And back: still cached.
        try fixture.file("a", "1")
        #expect(try await fixture.build(dockerfile).layers == first.layers)
        #expect(fixture.runs == 2)
    }

    @Test func theCacheSurvivesTheProcess() async throws {
        let fixture = try await BuildFixture()
        let first = try await fixture.build("FROM base\nRUN echo 1 > /x")
        let store = try ImageStore(root: fixture.path + "/store")
        let builder = Builder(store: store, runner: fixture.runner)
        let again = try await builder.build(
            BuildRequest(contextDirectory: fixture.context, references: [ImageReference("app")])
        ).image
        #expect(again.id == first.id)
        #expect(fixture.runs == 1)
    }

    @Test func whatARunDependsOnMakesItRunAgain() async throws {
        let fixture = try await BuildFixture()
        try await fixture.build(
            "FROM base\nARG A\nENV B=1\nLABEL l=1\nRUN echo $A > /x",
            arguments: ["A": "1"]
        )
        try await fixture.build(
            "FROM base\nARG A\nENV B=1\nLABEL l=2\nRUN echo $A > /x",
            arguments: ["A": "1"]
        )
        #expect(fixture.runs == 1)
        try await fixture.build("FROM base\nARG A\nENV B=1\nRUN echo $A > /x", arguments: ["A": "2"])
        #expect(fixture.runs == 2)
        try await fixture.build("FROM base\nARG A\nENV B=2\nRUN echo $A > /x", arguments: ["A": "2"])
        #expect(fixture.runs == 3)
        try await fixture.build(
            "FROM base\nARG A\nENV B=2\nUSER app\nRUN echo $A > /x",
            arguments: ["A": "2"]
        )
        #expect(fixture.runs == 4)
    }

    @Test func stagesThatTheTargetDoesNotNeedNeverRun() async throws {
        let fixture = try await BuildFixture()
        let dockerfile = """
            FROM base AS tests
            RUN exit 1
            FROM base AS build
            RUN echo built > /out
            FROM build AS debug
            RUN exit 1
            FROM scratch AS final
            COPY --from=build /out /out
            """
        let image = try await fixture.build(dockerfile)
        #expect(fixture.runs == 1)
        #expect(image.layers.count == 1)
        #expect(try fixture.read("/out", image) == "built\n")
        let target = try await fixture.build(dockerfile, target: "BUILD", name: "other")
        #expect(try fixture.read("/out", target) == "built\n")
        #expect(fixture.runs == 1)
        await #expect { try await fixture.build(dockerfile, target: "biuld") } throws: {
            code($0) == "build.unknown-stage" && ($0 as? EscaleError)?.hint == "did you mean \"build\"?"
        }
    }

    @Test func independentStagesRunSideBySide() async throws {
        let fixture = try await BuildFixture()
        // Each waits for the other: one after the other they would never end.
        let fifos = fixture.path + "/fifos"
        try Files.createDirectories(fifos)
        let runner = MeetingRunner()
        let builder = Builder(store: fixture.store, runner: runner)
        try fixture.file(
            "Dockerfile",
            """
            FROM base AS a
            RUN one
            FROM base AS b
            RUN two
            FROM base
            COPY --from=a /etc/passwd /a
            COPY --from=b /etc/passwd /b
            """
        )
        let image = try await builder.build(BuildRequest(contextDirectory: fixture.context)).image
        #expect(image.layers.count == 3)
        #expect(image.references.isEmpty)
    }

    @Test func aFailingCommandTellsAllAboutIt() async throws {
        let fixture = try await BuildFixture()
        await #expect {
            try await fixture.build(
                "FROM base\n\nRUN echo before && \\\n  echo oops >&2 && exit 7\nRUN never"
            )
        } throws: { error in
            guard let error = error as? EscaleError else { return false }
            return error.code == .stepFailed && error.message.contains("exit code 7")
                && error.message.contains("Dockerfile:3-4")
                && error.details.contains { $0.text == "before\noops" }
                && error.diagnostics.first?.position?.line == 3
        }
        #expect(fixture.runs == 1)
        #expect(try Files.list(fixture.path + "/store/tmp").isEmpty)
        let lines = fixture.events.all.compactMap { if case .output(_, let line) = $0 { line } else { nil } }
        #expect(lines == ["before", "oops"])
    }

    @Test func whatARunTakesAwayIsGone() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("dir/a", "a")
        try fixture.file("dir/b", "b")
        let image = try await fixture.build(
            """
            FROM base
            COPY dir /dir
            RUN rm /dir/a
            RUN rm -r /dir && mkdir /dir && echo new > /dir/c
            RUN cat /dir/c
            """
        )
        #expect(try fixture.read("/dir/a", image) == nil)
        #expect(try fixture.read("/dir/b", image) == nil)
        #expect(try fixture.read("/dir/c", image) == "new\n")
        // The last command changed nothing, so it made no layer.
        #expect(image.layers.count == 4)
        #expect(image.config.history.last?.emptyLayer == true)
    }

    @Test func theRuntimesMountPointsAreNotCommitted() async throws {
        let fixture = try await BuildFixture()
        let image = try await fixture.build(
            """
            FROM base
            RUN mkdir /dev /proc && : > /etc/resolv.conf && : > /etc/hosts && : > /dev/console && echo 1 > /x
            RUN : > /etc/hostname
            """
        )
        for path in ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/dev", "/proc"] {
            #expect(try fixture.store.tree(of: image.layers).find(path) == nil, "\(path)")
        }
        #expect(try fixture.read("/x", image) == "1\n")
        #expect(image.layers.count == 2)
    }

    @Test func entrypointClearsTheInheritedCommand() async throws {
        let fixture = try await BuildFixture()
        #expect(try await fixture.build("FROM base\nENV A=1").config.config.command == ["base-command"])
        let replaced = try await fixture.build("FROM base\nENTRYPOINT /run me").config.config
        #expect(replaced.entrypoint == ["/bin/sh", "-c", "/run me"])
        #expect(replaced.command == nil)
        let both = try await fixture.build("FROM base\nSHELL [\"/x\"]\nCMD a\nENTRYPOINT [\"b\"]").config
            .config
        #expect(both.command == ["/x", "a"])
    }

    @Test func heredocsRunAndCopy() async throws {
        let fixture = try await BuildFixture()
        let image = try await fixture.build(
            """
            FROM base
            ENV PORT=80
            RUN <<EOF
            echo one > /one
            echo two >> /one
            EOF
            RUN cat > /cat <<"EOF"
            raw $PORT
            EOF
            COPY <<app.conf <<"raw.conf" /etc/app/
            listen $PORT
            app.conf
            listen $PORT
            raw.conf
            """
        )
        #expect(try fixture.read("/one", image) == "one\ntwo\n")
        #expect(try fixture.read("/cat", image) == "raw $PORT\n")
        #expect(try fixture.read("/etc/app/app.conf", image) == "listen 80\n")
        #expect(try fixture.read("/etc/app/raw.conf", image) == "listen $PORT\n")
    }

    @Test(arguments: [
        ("FROM nowhere", "image.not-found", 1),
        ("FROM base\nCOPY --from=later /a /b\nFROM base AS later", "build.unknown-stage", 2),
        ("FROM base\nCOPY --from=3 /a /b", "build.unknown-stage", 2),
        ("FROM $NOTHING", "build.base-missing", 1),
        ("FROM base\nENV A=${B:?needed}", "dockerfile.expansion", 2),
        ("FROM base\nENV P=eighty\nEXPOSE $P", "build.port", 3),
        ("FROM base\nCOPY --chown=nobody-here . /", "image.user", 2),
        ("FROM base\nENV M=q+x\nCOPY --chmod=$M . /", "build.mode", 3),
        ("FROM base\nRUM x", "build.dockerfile", 2),
    ])
    func errorsHaveTheirPlace(dockerfile: String, expected: String, line: Int) async throws {
        let fixture = try await BuildFixture()
        await #expect {
            try await fixture.build(dockerfile, target: dockerfile.contains("AS later") ? "0" : nil)
        } throws: { error in
            code(error) == expected && (error as? EscaleError)?.diagnostics.first?.position?.line == line
        }
    }

    @Test func missingThingsAreNamed() async throws {
        let fixture = try await BuildFixture()
        await #expect {
            try await fixture.builder.build(BuildRequest(contextDirectory: "/nowhere"))
        } throws: {
            code($0) == "build.context-missing"
        }
        await #expect {
            try await fixture.builder.build(BuildRequest(contextDirectory: fixture.context))
        } throws: {
            code($0) == "build.dockerfile-missing"
        }
    }

    @Test func unusedArgumentsAreReported() async throws {
        let fixture = try await BuildFixture()
        try await fixture.build(
            "FROM base\nARG USED",
            arguments: ["USED": "1", "UNUSED": "1", "HTTP_PROXY": "p"]
        )
        let warnings = fixture.events.all.compactMap {
            if case .warning(let warning) = $0 { warning.message } else { nil }
        }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("UNUSED") == true)
    }

    @Test func eventsTellTheWholeStory() async throws {
        let fixture = try await BuildFixture()
        try await fixture.build("FROM base AS web\nRUN echo hello\nCMD [\"x\"]")
        let story = fixture.events.all.map { event -> String in
            switch event {
            case .began(let steps): "began \(steps)"
            case .warning: "warning"
            case .stepStarted(let step): "started \(step.label)"
            case .stepCached(let step): "cached \(step.label)"
            case .output(let step, let line): "output \(step) \(line)"
            case .stepFinished(let step, _): "finished \(step.label)"
            case .stepFailed(let step, _): "failed \(step.label)"
            case .finished: "done"
            }
        }
        #expect(
            story == [
                "began 3", "cached web 1/3", "started web 2/3", "output 2 hello", "finished web 2/3",
                "cached web 3/3", "done",
            ]
        )
    }

    @Test func aCancelledBuildLeavesNothingBehind() async throws {
        let fixture = try await BuildFixture()
        let building = Task { try await fixture.build("FROM base\nRUN cat /dev/zero || while :; do :; done") }
        while fixture.runs == 0 { try await Task.sleep(for: .milliseconds(5)) }
        try await Task.sleep(for: .milliseconds(50))
        building.cancel()
        let result = await building.result
        #expect(throws: (any Error).self) { try result.get() }
        #expect(try Files.list(fixture.path + "/store/tmp").isEmpty)
    }
}

/// Ends each command only once two have begun.
private actor MeetingRunner: BuildRunner {
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func run(_ step: BuildRun, output: @escaping @Sendable ([UInt8]) async -> Void) async throws -> Int32 {
        if waiting.isEmpty {
            await withCheckedContinuation { waiting.append($0) }
        } else {
            for other in waiting { other.resume() }
        }
        return 0
    }
}
