import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleOCI
import EscaleSystem

/// A build that is no service's: what `docker build` takes.
struct OwnBuild: Sendable {
    private var tags: [String] = []
    private var file: String?
    private var target: String?
    private var labels: [String] = []
    private var secrets: [String] = []
    private var contexts: [String] = []
    private var cacheFrom: [String] = []
    private var cacheTo: [String] = []
    private var hosts: [String] = []
    private var stagesWithoutCache: [String] = []
    private var network: String?
    private var platform: String?
    private var sharedMemory: String?

    static let flags: [Flag<Build.Options>] = [
        .value("tag", "t", "NAME[:TAG]", "The image's name (repeatable)") { $0.own.tags.append($1) },
        .value("file", "f", "FILE", "The Dockerfile; CONTEXT/Dockerfile by default, - for standard input") {
            $0.own.file = $1
        },
        .value("target", nil, "STAGE", "Build this stage instead of the last") { $0.own.target = $1 },
        .value("label", nil, "NAME=VALUE", "Put a label on the image (repeatable)") {
            $0.own.labels.append($1)
        },
        .value("secret", nil, "id=ID,src=FILE|env=NAME", "For RUN --mount=type=secret (repeatable)") {
            $0.own.secrets.append($1)
        },
        .value("build-context", nil, "NAME=DIR|docker-image://NAME", "A named context (repeatable)") {
            $0.own.contexts.append($1)
        },
        .value("cache-from", nil, "CACHE", "Use this cache too: an image, or type=local,src=DIR (repeatable)")
        {
            $0.own.cacheFrom.append($1)
        },
        .value(
            "cache-to",
            nil,
            "CACHE",
            "Export the cache: an image, type=local,dest=DIR or type=inline (repeatable)"
        ) {
            $0.own.cacheTo.append($1)
        },
        .value("add-host", nil, "NAME:ADDRESS", "One more line of /etc/hosts in RUN (repeatable)") {
            $0.own.hosts.append($1)
        },
        .value("no-cache-filter", nil, "STAGE", "Run every step of this stage again (repeatable)") {
            $0.own.stagesWithoutCache.append($1)
        },
        .value("network", nil, "default|none|host", "What RUN reaches") { $0.own.network = $1 },
        .value("platform", nil, "OS/ARCH", "What the image is for") { $0.own.platform = $1 },
        .value("shm-size", nil, "SIZE", "The size of /dev/shm in RUN") { $0.own.sharedMemory = $1 },
    ]

    /// Whether the command line means a build of its own, not services.
    func isMeant(by operands: [String], in session: Session) -> Bool {
        if !tags.isEmpty || file != nil || target != nil || !labels.isEmpty || !secrets.isEmpty
            || !contexts.isEmpty
            || !cacheFrom.isEmpty || !cacheTo.isEmpty || platform != nil || network != nil
        {
            return true
        }
        guard operands.count == 1, Files.isDirectory(session.absolute(operands[0])) else { return false }
        return operands[0].contains("/") || operands[0].hasPrefix(".") || !session.hasProject
    }

    func item(_ operands: [String], in session: Session) throws -> BuildRequest.Item {
        guard operands.count == 1 else {
            throw EscaleError(
                .usage,
                operands.isEmpty
                    ? "`escale build` needs the directory to build" : "only one directory can be built",
                hint: "the current one is `.`: escale build -t NAME ."
            )
        }
        let context = session.clean(operands[0])
        var build = EscaleCompose.Build(context: context)
        var options = BuildOptions()
        if let file {
            if file == "-" {
                options.dockerfileText = try Self.standardInput()
            } else {
                build.dockerfile = session.clean(file)
            }
        }
        build.target = target
        options.tags = tags.isEmpty ? nil : Array(tags.dropFirst())
        options.labels = try pairs(labels, session)
        options.cacheFrom = cacheFrom.map { BuildOptions.cache($0, resolvingPathsWith: session.clean) }
        options.cacheTo = cacheTo.map { BuildOptions.cache($0, resolvingPathsWith: session.clean) }
        options.stagesWithoutCache = stagesWithoutCache
        options.network = network
        options.platforms = platform.map { [$0] }
        options.sharedMemory = try sharedMemory.map { text in
            guard let size = ByteCount(compose: text) else {
                throw EscaleError(.usage, "--shm-size: \"\(text)\" is no size")
            }
            return size
        }
        options.contexts = try pairs(contexts, session).mapValues {
            $0.contains("://") ? $0 : session.clean($0)
        }
        options.extraHosts = try hosts.map { text in
            let parts = text.split(maxSplits: 1, whereSeparator: { $0 == ":" || $0 == "=" }).map(String.init)
            guard parts.count == 2 else {
                throw EscaleError(.usage, "--add-host: \"\(text)\" must be NAME:ADDRESS")
            }
            return HostEntry(name: parts[0], addresses: [parts[1]])
        }
        build.options = options
        // What a step is shown under: the image's name, or the directory's.
        let name = try tags.first.map { try ImageReference($0).repository } ?? context
        let label = name.split(separator: "/").last.map(String.init) ?? "build"
        var item = BuildRequest.Item(service: ServiceName(rawValue: label), build: build, image: tags.first)
        for text in secrets {
            let (id, secret) = try Self.secret(text, session)
            item.secrets[id] = secret
        }
        return item
    }

    private func pairs(_ texts: [String], _ session: Session) throws -> [String: String] {
        var found: [String: String] = [:]
        for text in texts {
            let (name, value) = try Values.assignment(text, environment: session.environment)
            found[name] = value ?? ""
        }
        return found
    }

    /// `id=ID,src=FILE`, `id=ID,env=NAME`, or `id=ID` for the variable of that name.
    private static func secret(_ text: String, _ session: Session) throws -> (String, BuildRequest.Secret) {
        var fields: [String: String] = [:]
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            fields[pair[0]] = pair.count > 1 ? pair[1] : ""
        }
        let file = fields["src"] ?? fields["source"]
        guard let id = fields["id"] ?? file?.split(separator: "/").last.map(String.init) else {
            throw EscaleError(
                .usage,
                "--secret \"\(text)\" has no id",
                hint: "write it like --secret id=token,src=token.txt"
            )
        }
        if let file {
            let path = session.clean(file)
            guard Files.exists(path) else {
                throw EscaleError(.usage, "--secret \(id): there is no file \(path)")
            }
            return (id, .file(path))
        }
        let name = fields["env"] ?? id
        guard let value = session.environment[name] else {
            throw EscaleError(
                .usage,
                "--secret \(id): the variable \(name) is not set",
                hint: "or name a file with src="
            )
        }
        return (id, .text(value))
    }

    private static func standardInput() throws -> String {
        var bytes: [UInt8] = []
        let input = try FileDescriptor("/dev/stdin", 0)
        while bytes.count < 4 << 20 {
            let piece = try input.read()
            if piece.isEmpty { break }
            bytes += piece
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Session {
    /// The path as the daemon has to know it, without `.` and `..`.
    func clean(_ path: String) -> String {
        var names: [Substring] = []
        for name in absolute(path).split(separator: "/") where name != "." {
            if name == ".." { _ = names.popLast() } else { names.append(name) }
        }
        return "/" + names.joined(separator: "/")
    }
}
