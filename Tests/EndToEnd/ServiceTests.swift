import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// What a service's attributes do to its container.
@Suite struct ServiceTests {
    @Test("environment, env_file and .env reach the container, in Compose's order")
    func environment() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    hostname: shop
                    env_file: [one.env, {path: missing.env, required: false}]
                    environment:
                      FROM_FILE: "${IN_DOT_ENV}"
                      DEFAULTED: "${NOWHERE:-fallback}"
                      DOLLAR: "a$$b"
                      BOTH: environment
                      PASSED:
                """
            )
            try project.write(".env", "IN_DOT_ENV='from dot env'")
            try project.write("one.env", "BOTH=file\nONLY_FILE=\"two words\"")
            _ = try await escale.escale(
                ["up", "-d"],
                in: project.directory,
                environment: ["PASSED": "through"]
            ).ok()
            let values = try await project.shell(
                "web",
                "echo $FROM_FILE; echo $DEFAULTED; echo $DOLLAR; echo $BOTH; echo $ONLY_FILE; echo $PASSED; hostname"
            )
            #expect(values == "from dot env\nfallback\na$b\nenvironment\ntwo words\nthrough\nshop")
        }
    }

    @Test("limits of memory, processors, processes and files hold")
    func limits() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  limited:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    mem_limit: 40m
                    pids_limit: 10
                    cpus: 0.5
                    cpu_shares: 512
                    cpuset: "0"
                    oom_score_adj: 500
                    shm_size: 8m
                    ulimits: {nofile: {soft: 100, hard: 200}, core: 0}
                  deployed:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    deploy: {resources: {limits: {memory: 40m, cpus: "0.5", pids: 10}}}
                """
            )
            try await project.up()
            let process = "ulimit -Sn; ulimit -Hn; ulimit -Sc; cat /proc/1/oom_score_adj"
            #expect(try await project.shell("limited", process) == "100\n200\n0\n500")
            let processors = try await project.shell("limited", "grep Cpus_allowed_list /proc/self/status")
            #expect(processors.hasSuffix("\t0"), "\(processors)")
            let size = "df -k /dev/shm | tail -n 1 | awk '{print $2}'"
            #expect(try await project.shell("limited", size) == "8192")
            for service in ["limited", "deployed"] {
                let quota = "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || true"
                #expect(try await project.shell(service, quota).hasPrefix("50000"))
                let eating = try await project.escale("exec", service, "tail", "/dev/zero")
                #expect(eating.status == 137, "\(eating)")
                let forking = try await project.escale(
                    "exec", service, "sh", "-c", "for i in $(seq 20); do sleep 1 & done; wait")
                #expect(forking.text.contains("can't fork"), "\(forking)")
            }
        }
    }

    @Test("user, working_dir, read_only, tmpfs, cap_drop and init")
    func process() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  confined:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    user: "1000:1000"
                    working_dir: /work
                    read_only: true
                    tmpfs: ["/scratch:size=1m,mode=1777"]
                    cap_drop: [ALL]
                    labels: {team: shop}
                  open: {image: busybox, command: sleep 600, stop_signal: SIGKILL, cap_drop: [CHOWN]}
                  reaping: {image: busybox, command: sleep 600, init: true}
                """
            )
            try await project.up()
            #expect(try await project.shell("confined", "id -u; id -g; pwd") == "1000\n1000\n/work")
            let caps = try await project.shell("confined", "grep CapEff /proc/self/status")
            #expect(caps.hasSuffix("0000000000000000"), "exec has no more rights than the container: \(caps)")
            let written = try await project.escale("exec", "confined", "sh", "-c", "touch /file")
            #expect(written.status != 0 && written.text.contains("Read-only"), "\(written)")
            #expect(
                try await project.shell("confined", "echo kept > /scratch/file; cat /scratch/file") == "kept"
            )
            let full = try await project.escale(
                "exec",
                "confined",
                "sh",
                "-c",
                "head -c 2000000 /dev/zero > /scratch/big"
            )
            #expect(full.status != 0, "the tmpfs holds no more than its size: \(full)")
            #expect(
                try await project.shell("confined", "grep CapEff /proc/1/status").hasSuffix(
                    "0000000000000000"
                )
            )
            let chown = try await project.escale("exec", "open", "sh", "-c", "touch /f; chown 5 /f")
            #expect(chown.status != 0 && chown.text.contains("not permitted"), "\(chown)")
            #expect(try await project.shell("open", "cat /proc/1/comm") == "sleep")
            let first = try await project.shell("reaping", "cat /proc/1/comm")
            #expect(first != "sleep", "an init is process 1: \(first)")
            // `sleep` as process 1 would ignore SIGTERM for ten seconds; with an init it ends at once.
            try await project.escale("stop").ok()
            #expect(try await project.container("reaping").exitCode == 143)
        }
    }

    @Test("command and entrypoint, as lists and as text")
    func commands() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                #"""
                services:
                  list: {image: busybox, command: ["echo", "two words", "$$HOME"]}
                  text: {image: busybox, command: echo "two words" single 'quo"ted'}
                  entry: {image: busybox, entrypoint: ["echo", "entry"], command: ["and", "command"]}
                  only: {image: busybox, entrypoint: echo alone}
                  script: {image: busybox, entrypoint: ["sh", "-c"], command: ["echo $$0 $$HOSTNAME", "zero"], hostname: h}
                """#
            )
            try await project.up()
            for (service, expected) in [
                ("list", "two words $HOME"), ("text", "two words single quo\"ted"),
                ("entry", "entry and command"),
                ("only", "alone"), ("script", "zero h"),
            ] {
                let ended = try await project.container(service) { $0.state == .exited }
                #expect(ended.exitCode == 0)
                #expect(try await project.logs(service) == [expected], "\(service)")
            }
        }
    }

    @Test("configs and secrets from texts and variables, with owners and permissions of their own")
    func sharedFiles() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    configs:
                      - text
                      - {source: file, target: /etc/app/copy, uid: "1000", gid: "1001", mode: 0440}
                      - {source: file, target: /etc/app/conf}
                    secrets: [{source: token, mode: 0400}]
                configs:
                  text: {content: "price=$$5 ${UNSET_ONE:-x}"}
                  file: {file: ./app.conf}
                secrets: {token: {environment: TOKEN}}
                """
            )
            try project.write("app.conf", "a=1")
            try project.write(".env", "TOKEN=open sesame")
            try await project.up()
            #expect(
                try await project.shell("web", "cat /text; echo; cat /run/secrets/token; echo; cat /etc/app/copy")
                    == "price=$5 x\nopen sesame\na=1"
            )
            #expect(
                try await project.shell("web", "stat -c '%u:%g %a' /text /run/secrets/token /etc/app/copy")
                    == "0:0 444\n0:0 400\n1000:1001 440"
            )
            try Files.write("\(project.directory)/app.conf", Array("a=2\n".utf8))
            #expect(try await project.shell("web", "cat /etc/app/conf /etc/app/copy") == "a=2\na=1")
            let written = try await project.escale("exec", "web", "sh", "-c", "echo x > /text")
            #expect(written.status != 0 && written.text.contains("Read-only"), "\(written)")
            // Another value makes another container.
            try project.write(".env", "TOKEN=close sesame")
            try await project.up()
            #expect(try await project.shell("web", "cat /run/secrets/token; cat /etc/app/copy") == "close sesamea=2")
        }
    }

    @Test("bind mounts, read-only ones, secrets, and volumes that take the image's content with its owners")
    func mounts() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: owned:latest
                    command: sleep 600
                    stop_signal: SIGKILL
                    volumes:
                      - ./site:/site
                      - ./site:/readonly:ro
                      - seeded:/srv/data
                      - /srv/anonymous
                    secrets: [password, {source: password, target: /etc/pw}]
                  second: {image: busybox, command: sleep 600, stop_signal: SIGKILL, volumes: ["seeded:/other:ro"]}
                volumes: {seeded: {}}
                secrets: {password: {file: ./password.txt}}
                """
            )
            try project.write("site/page", "from the host")
            try project.write("password.txt", "open sesame")
            try await importOwned(escale)
            try await project.up()
            #expect(
                try await project.shell("web", "cat /site/page; echo back > /site/new; cat /readonly/new")
                    == "from the host\nback"
            )
            #expect(try Files.readText("\(project.directory)/site/new") == "back\n")
            let written = try await project.escale("exec", "web", "sh", "-c", "touch /readonly/file")
            #expect(written.status != 0 && written.text.contains("Read-only"), "\(written)")
            #expect(
                try await project.shell("web", "cat /run/secrets/password /etc/pw")
                    == "open sesame\nopen sesame"
            )
            let secret = try await project.escale("exec", "web", "sh", "-c", "echo x > /run/secrets/password")
            #expect(secret.status != 0, "secrets are read-only")
            #expect(
                try await project.shell(
                    "web",
                    "stat -c '%u:%g %a' /srv/data /srv/data/file; cat /srv/data/file"
                )
                    == "70:71 750\n70:71 640\nseed"
            )
            _ = try await project.shell("web", "echo changed > /srv/data/file")
            #expect(try await project.shell("second", "cat /other/file") == "changed")
            try await project.up("--force-recreate")
            #expect(try await project.shell("web", "cat /srv/data/file") == "changed", "seeding happens once")
        }
    }

    /// busybox with a directory that somebody owns.
    private func importOwned(_ escale: EscaleFixture) async throws {
        let tree = "\(escale.scratch)/tree"
        try await run(
            "sh",
            "-c",
            """
            set -e
            mkdir \(tree); tar -xf \(try Programs.busyboxImage()) -C \(tree)
            mkdir -p \(tree)/srv/data; echo seed > \(tree)/srv/data/file
            chown -R 70:71 \(tree)/srv/data; chmod 750 \(tree)/srv/data; chmod 640 \(tree)/srv/data/file
            tar -cf \(tree).tar -C \(tree) .
            """
        ).ok()
        try await escale.escale(["image", "import", "\(tree).tar", "owned:latest"]).ok()
    }

    @Test("ports: on loopback only, on all addresses, on a free one, balanced over the replicas")
    func ports() async throws {
        try await EscaleFixture.with { escale in
            let (inner, outer) = (try FreePort.take(), try FreePort.take())
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: ["sh", "-c", "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"]
                    stop_signal: SIGKILL
                    scale: 3
                    ports: ["127.0.0.1:\(inner):80", "\(outer):80", "80"]
                    healthcheck: {test: wget -q -O /dev/null http://127.0.0.1/, interval: 1s}
                """
            )
            try await project.up("--wait")
            var answers: [String: Int] = [:]
            for _ in 0..<60 { answers[try await HTTPProbe.answer(inner), default: 0] += 1 }
            #expect(answers.count == 3 && answers.values.allSatisfy { $0 >= 5 }, "\(answers)")
            _ = try await HTTPProbe.answer(outer)
            if let own = try await hostAddress() {
                _ = try await HTTPProbe.answer(outer, at: own)
                #expect(await !HTTPProbe.accepts(inner, at: own), "loopback's port is not on \(own)")
            }
            let web = try await project.container("web")
            let free = try #require(web.ports.map(\.hostPort).first { $0 != inner && $0 != outer })
            _ = try await HTTPProbe.answer(free)
            #expect(try await project.escale("port", "web", "80").ok().output.contains("\(inner)"))
            try await project.down()
            #expect(await !HTTPProbe.accepts(inner), "after down nobody answers")
        }
    }

    /// The host's address towards the outside; `nil` where it has none.
    private func hostAddress() async throws -> String? {
        let route = try await run("ip", "-4", "route", "get", "192.0.2.1").output
        let words = route.split(separator: " ").map(String.init)
        return words.firstIndex(of: "src").map { words[$0 + 1] }
    }
}
