/// The beginning of a project: what was found, and what its image and its service need.
struct Starter {
    /// The port of the host that the compose file publishes.
    static let hostPort = 8080

    /// `a Flask application`
    var title: String
    /// Why it is taken for one.
    var evidence: String
    /// The port that the program listens on in its container.
    var port: Int
    /// Debian's packages.
    var packages: [String]
    /// The image that already has what the packages bring.
    var officialImage: String
    /// The instructions after the base, its packages and its user.
    var instructions: String
    /// Whoever the program runs as, `uid:gid`.
    var user = "10001:10001"
    /// Lines for `.dockerignore` besides those that all projects have.
    var ignored: [String]
    /// Named volumes: key and where it is mounted.
    var volumes: [(key: String, target: String, why: String)] = []
    /// Whether it never writes but to /tmp.
    var isReadOnly = false
    /// What to look at before the first start, a line each.
    var notes: [String] = []

    /// The files with their names, each ending in a line feed.
    func files(on base: StarterBase, named project: String) -> [(name: String, text: String)] {
        [("compose.yaml", compose(named: project)), ("Dockerfile", dockerfile(on: base)), (".dockerignore", dockerignore)]
    }

    private func dockerfile(on base: StarterBase) -> String {
        var text = "# The image of \(title). Written by `escale init`; it is yours now.\n"
        switch base {
        case .debian:
            text += """
                FROM debian:bookworm-slim

                RUN apt-get update \\
                    && apt-get install -y --no-install-recommends \(packages.joined(separator: " ")) \\
                    && rm -rf /var/lib/apt/lists/*

                """
        case .official: text += "FROM \(officialImage)\n"
        }
        if user == "10001:10001" {
            text += """

                # A user of its own that owns nothing.
                RUN groupadd --gid 10001 app \\
                    && useradd --uid 10001 --gid app --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app

                """
        }
        return text + "\n" + instructions
    }

    private var dockerignore: String {
        let lines = [
            "# What the image's build doesn't get to see. Never let secrets into an image.", ".env", ".env.*", "",
            "# Not part of the program.", ".git", ".gitignore", ".dockerignore", "Dockerfile", "compose*.yaml",
        ]
        return (lines + ["", "# Made again in the image, or only of use on this machine."] + ignored).joined(separator: "\n") + "\n"
    }

    private func compose(named project: String) -> String {
        var text = """
            # \(title.prefix(1).uppercased() + title.dropFirst()). Written by `escale init`; it is yours now.
            #
            #   escale up -d --build --wait    build the image, start it, wait until it is healthy
            #   escale logs -f                 what it says
            #   escale config                  check this file after a change
            #   escale down                    stop and remove it; volumes stay
            name: \(project)

            services:
              web:
                # The Dockerfile beside this file. Its health check says when the service is ready.
                build: .

                # HOST:CONTAINER. Another port of this machine: WEB_PORT=9000 in .env or in the shell.
                ports:
                  - "${WEB_PORT:-\(Self.hostPort)}:\(port)"

                # Settings and secrets, as lines NAME=value. The file is not copied into the image; don't commit it.
                env_file:
                  - path: .env
                    required: false

                # Started again when it ends, and with the machine, until you stop it.
                restart: unless-stopped

                # The program runs as \(user) and can't become more.
                cap_drop:
                  - ALL

            """
        text += isReadOnly
            ? "\n    # It can write to /tmp and nowhere else.\n    read_only: true\n"
            : "\n    # read_only: true # once it writes only to /tmp and its volumes\n"
        text += "    tmpfs:\n      - /tmp:mode=1777,size=64m\n"
        if !volumes.isEmpty {
            text += "\n    # NAME:PATH. A new volume begins with what the image has there; it outlives its containers.\n    volumes:\n"
            for volume in volumes { text += "      - \(volume.key):\(volume.target) # \(volume.why)\n" }
            text += "\nvolumes:\n" + volumes.map { "  \($0.key):\n" }.joined()
        }
        return text
    }
}
