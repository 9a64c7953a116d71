import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem
import Glibc

/// `escale image load`
enum ImageLoad: CLICommand {
    struct Options: CommandOptions {
        var input: String?
        var quiet = false
        var platform: String?
    }

    static let path = ["image", "load"]
    static let summary = "Take images out of an archive"
    static let details: String? = """
        Reads what `docker save`, `podman save`, `skopeo copy` and `escale image save` write: docker-archives and archives of \
        an OCI image layout, compressed or not.
        """
    static let flags: [Flag<Options>] = [
        .value("input", "i", "FILE", "The archive; standard input by default") { $0.input = $1 },
        .toggle("quiet", "q", \.quiet, "Show no progress"),
        .value("platform", nil, "OS/ARCH", "Which image to take where there are several") {
            $0.platform = $1
        },
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let scratch = options.input == nil ? try Scratch() : nil
        defer { scratch?.remove() }
        if let scratch { try scratch.fill(from: 0) }
        let path = options.input.map { session.absolute($0) } ?? scratch?.path ?? ""
        let images = try await session.withProgress(options.quiet ? .quiet : nil) {
            try await client.loadImages(LoadRequest(path: path, platform: options.platform), progress: $0)
        }
        for image in images {
            session.console.print(
                "Loaded image: \(image.names.isEmpty ? image.id : image.names.joined(separator: ", "))"
            )
        }
        return 0
    }
}

/// `escale image save`
enum ImageSave: CLICommand {
    struct Options: CommandOptions {
        var output: String?
        var format = Format.docker
    }

    enum Format: String, CaseIterable, Sendable {
        case docker = "docker-archive"
        case oci = "oci-archive"
    }

    static let path = ["image", "save"]
    static let summary = "Write images into an archive"
    static let operands = Operands.atLeast(1, "IMAGE...")
    static let flags: [Flag<Options>] = [
        .value("output", "o", "FILE", "Where to; standard output by default") { $0.output = $1 },
        .choice("format", \.format, "Which kind of archive"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        guard options.output != nil || !session.console.output.isTerminal else {
            throw EscaleError(.usage, "an archive doesn't belong on a terminal", hint: "name a file with -o")
        }
        let client = try session.client()
        let scratch = options.output == nil ? try Scratch() : nil
        defer { scratch?.remove() }
        let path = options.output.map { session.absolute($0) } ?? scratch?.path ?? ""
        try await session.withProgress {
            try await client.saveImages(
                SaveRequest(images: operands, path: path, format: options.format.rawValue),
                progress: $0
            )
        }
        try scratch?.empty(into: 1)
        return 0
    }
}

extension Session {
    /// The path as the daemon has to know it.
    func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(workingDirectory)/\(path)" }
}

/// A file between a pipe of ours and the daemon.
private struct Scratch {
    let path: String

    init() throws {
        path = "/var/tmp/escale-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
        _ = try FileDescriptor(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    }

    func remove() { unlink(path) }

    func fill(from number: Int32) throws {
        try copy(FileDescriptor(owning: dup(number)), FileDescriptor(path, O_WRONLY))
    }

    func empty(into number: Int32) throws {
        try copy(FileDescriptor(path, O_RDONLY), FileDescriptor(owning: dup(number)))
    }

    private func copy(_ source: FileDescriptor, _ target: FileDescriptor) throws {
        while true {
            let piece = try source.read(upTo: 1 << 18)
            if piece.isEmpty { return }
            try target.write(piece)
        }
    }
}
